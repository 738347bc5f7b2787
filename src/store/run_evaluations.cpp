#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "store/run_layout.hpp"
#include "store/schema.hpp"
#include "store/set_rows.hpp"

namespace seawall {
namespace {

constexpr float float_nan = std::numeric_limits<float>::quiet_NaN();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::vector<SetRows> by_set(const std::vector<EvaluationRecord>& evaluations) {
  std::vector<SetRows> sets;
  for (std::size_t i = 0; i < evaluations.size(); ++i) {
    const auto& record = evaluations[i];
    auto found = std::find_if(sets.begin(), sets.end(),
                              [&](const SetRows& s) { return s.prefix == prefix_of(record); });
    if (found == sets.end())
      found = sets.insert(sets.end(), {record.set, prefix_of(record), {}, {}, {}, {}});
    found->records.push_back(&record);
    found->order.push_back(static_cast<std::int64_t>(i));
    auto& columns = found->columns.emplace_back();
    for (const auto& result : record.results)
      columns.push_back(found->probes.add(h5::storable_text(place_name(result))));
  }
  return sets;
}

/// Arrays over evaluation x probe and evaluation x probe x judge, filled in one pass.
struct Grid {
  std::vector<std::string> prompt, prefill, response, no_answer, reason;
  std::vector<std::uint8_t> answered, finished, declined, valid, judged;
  std::vector<std::int64_t> new_tokens;
  std::vector<double> score, probability, refused, coherent;  // NaN if it was not judged

  Grid(const SetRows& rows, Index& judges) {
    const auto probes = rows.probes.names.size(), depth = judges.names.size();
    const auto cells = rows.records.size() * probes;
    prompt.resize(cells), prefill.resize(cells), response.resize(cells), no_answer.resize(cells);
    new_tokens.resize(cells), answered.resize(cells), finished.resize(cells);
    declined.resize(cells), reason.resize(cells * depth);
    score.assign(cells * depth, nan), probability.assign(cells * depth, nan);
    refused.assign(cells * depth, nan), coherent.assign(cells * depth, nan);
    valid.resize(cells * depth);
    judged.resize(rows.records.size() * depth);
    for (std::size_t e = 0; e < rows.records.size(); ++e) {
      const auto& record = *rows.records[e];
      for (const auto& judge : record.judges)
        judged[e * depth + judges.add(h5::storable_text(judge))] = 1;
      for (std::size_t r = 0; r < record.results.size(); ++r)
        put(record, record.results[r], e * probes + rows.columns[e][r], judges);
    }
  }

 private:
  void put(const EvaluationRecord& record, const ProbeResult& result, std::size_t cell,
           Index& judges) {
    prompt[cell] = h5::storable_text(result.prompt);
    prefill[cell] = h5::storable_text(result.prefill);
    response[cell] = h5::storable_text(result.response);
    answered[cell] = 1;
    finished[cell] = result.finished;
    no_answer[cell] = h5::storable_text(result.no_answer);
    declined[cell] = result.declined;
    new_tokens[cell] = result.new_tokens;
    for (std::size_t j = 0; j < record.judges.size(); ++j) {
      const auto& verdict = result.verdicts[j];
      const auto place =
          cell * judges.names.size() + judges.add(h5::storable_text(record.judges[j]));
      score[place] = verdict.score;
      probability[place] = verdict.probability;
      if (verdict.valid) {
        if (verdict.refused) refused[place] = *verdict.refused ? 1 : 0;
        coherent[place] = verdict.coherent;
      }
      valid[place] = verdict.valid;
      reason[place] = h5::storable_text(verdict.reason);
    }
  }
};

/// Tokens of prompts and answers, padded to the longest of all sets.
struct Tokens {
  std::size_t prompt = 0, answer = 0;
  explicit Tokens(const std::vector<EvaluationRecord>& evaluations) {
    for (const auto& record : evaluations)
      for (const auto& result : record.results) {
        prompt = std::max(prompt, result.prompt_ids.size());
        answer =
            std::max({answer, result.response_ids.size(), result.first_response_logprob.size()});
      }
  }
  void put_axes(SchemaWriter& out) const {
    const auto axis = [&out](const char* name, std::size_t size) {
      std::vector<std::int32_t> places(size);
      std::iota(places.begin(), places.end(), 0);
      if (size > 0) out.coordinate(name, places);
    };
    axis("prompt_token", prompt);
    axis("answer_token", answer);
  }
  void put(SchemaWriter& out, const SetRows& rows, const h5::Attributes& more) const {
    if (prompt == 0) return;
    const auto probes = rows.probes.names.size(), cells = rows.records.size() * probes;
    std::vector<std::string> rendered(cells);
    std::vector<std::int32_t> length(cells), ids(cells * prompt, -1), answers(cells * answer, -1);
    for (std::size_t e = 0; e < rows.records.size(); ++e)
      for (std::size_t r = 0; r < rows.columns[e].size(); ++r) {
        const auto& result = rows.records[e]->results[r];
        const auto cell = e * probes + rows.columns[e][r];
        rendered[cell] = h5::storable_text(result.rendered_prompt);
        length[cell] = static_cast<std::int32_t>(result.prompt_ids.size());
        const auto at = [cell](auto& all, std::size_t width) {
          return all.begin() + static_cast<std::ptrdiff_t>(cell * width);
        };
        std::ranges::transform(result.prompt_ids, at(ids, prompt),
                               [](std::int32_t id) { return std::max(id, -1); });
        std::ranges::copy(result.response_ids, at(answers, answer));
      }
    const bool fixed = rows.records.front()->decoding.fixed_tokens > 0;
    if (!fixed) {  // else they are those of the set that it repeats
      out.variable("rendered_prompt", rendered, more);
      out.variable("prompt_length", length, more);
      out.variable("prompt_ids", ids, more);
    }
    if (answer == 0) return;
    out.variable("response_ids", answers, more);
    for (const auto& [name, member] :
         {std::pair("response_logprob", &ProbeResult::response_logprob),
          std::pair("start_logprob", &ProbeResult::start_logprob),
          std::pair("kl_start", &ProbeResult::kl_start),
          std::pair("first_response_logprob", &ProbeResult::first_response_logprob)})
      put_numbers(out, rows, name, member, more);
  }

 private:
  /// Some numbers for each token of an answer, if a result has them.
  void put_numbers(SchemaWriter& out, const SetRows& rows, const char* name,
                   std::vector<float> ProbeResult::*member, const h5::Attributes& more) const {
    const auto probes = rows.probes.names.size();
    std::vector<float> all(rows.records.size() * probes * answer, float_nan);
    bool some = false;
    for (std::size_t e = 0; e < rows.records.size(); ++e)
      for (std::size_t r = 0; r < rows.columns[e].size(); ++r) {
        const auto& values = rows.records[e]->results[r].*member;
        some = some || !values.empty();
        std::ranges::copy(values, all.begin() + static_cast<std::ptrdiff_t>(
                                                    (e * probes + rows.columns[e][r]) * answer));
      }
    if (some) out.variable(name, all, more);
  }
};

void put_axes(SchemaWriter& out, const SetRows& rows, const RunData& run) {
  std::vector<std::int64_t> step, epoch;
  std::vector<double> seconds;
  std::vector<std::string> phase, condition, set;
  for (const auto* record : rows.records) {
    step.push_back(record->step);
    epoch.push_back(record->epoch);
    phase.push_back(phase_of(*record, run));
    seconds.push_back(record->seconds);
    condition.push_back(h5::storable_text(record->condition));
    set.push_back(probe_set_name(record->set));
  }
  const auto n = rows.probes.names.size();
  std::vector<std::string> category(n);
  std::vector<std::uint8_t> restricted(n);
  std::vector<std::int64_t> sample(n);
  for (std::size_t e = 0; e < rows.records.size(); ++e) {
    for (std::size_t r = 0; r < rows.columns[e].size(); ++r) {
      const auto& result = rows.records[e]->results[r];
      category[rows.columns[e][r]] = h5::storable_text(result.category);
      restricted[rows.columns[e][r]] = result.restricted;
      sample[rows.columns[e][r]] = result.sample;
    }
  }
  out.coordinate("evaluation", rows.order);
  out.coordinate("probe", rows.probes.names);
  out.variable("eval_step", step);
  out.variable("eval_epoch", epoch);
  out.variable("phase", phase);
  out.variable("condition", condition);
  out.variable("set", set);
  out.variable("eval_seconds", seconds);
  out.variable("category", category);
  out.variable("restricted", restricted);
  if (std::ranges::any_of(sample, [](std::int64_t number) { return number > 0; }))
    out.variable("sample", sample);
}

/// How answers were begun and drawn, of files in which some were.
void put_decoding(SchemaWriter& out, const SetRows& rows) {
  const auto usual = [](const auto* record) { return record->decoding == Decoding{}; };
  if (std::ranges::all_of(rows.records, usual)) return;
  std::vector<std::string> begun_with;
  std::vector<double> temperature, top_p;
  std::vector<std::int64_t> samples, fixed_tokens;
  for (const auto* record : rows.records) {
    begun_with.push_back(h5::storable_text(record->decoding.prefill));
    temperature.push_back(record->decoding.temperature);
    top_p.push_back(record->decoding.top_p);
    samples.push_back(record->decoding.samples);
    fixed_tokens.push_back(record->decoding.fixed_tokens);
  }
  out.variable("begun_with", begun_with);
  out.variable("temperature", temperature);
  out.variable("top_p", top_p);
  out.variable("samples", samples);
  if (std::ranges::any_of(fixed_tokens, [](std::int64_t count) { return count > 0; }))
    out.variable("first_tokens", fixed_tokens);
}

void put_grid(SchemaWriter& out, const SetRows& rows, const Grid& grid) {
  const auto put = [&, more = with_coordinates(rows)](const char* name, const auto& values) {
    out.variable(name, values, more);
  };
  const auto some = [](const std::string& text) { return !text.empty(); };
  put("prompt", grid.prompt);
  if (std::ranges::any_of(grid.prefill, some)) put("prefill", grid.prefill);
  put("response", grid.response);
  put("answered", grid.answered);
  put("finished", grid.finished);
  put("new_tokens", grid.new_tokens);
  if (std::ranges::any_of(grid.no_answer, some)) put("no_answer", grid.no_answer);
  if (std::ranges::any_of(grid.declined, [](std::uint8_t v) { return v != 0; }))
    put("declined", grid.declined);
  if (grid.judged.empty()) return;
  put("score", grid.score);
  const auto said = [](double p) { return !std::isnan(p); };
  if (std::any_of(grid.probability.begin(), grid.probability.end(), said))
    put("probability", grid.probability);
  put("refused", grid.refused);
  put("coherent", grid.coherent);
  put("valid", grid.valid);
  put("reason", grid.reason);
  out.variable("judged", grid.judged);
}

}  // namespace

// Which one is the last is known when the run is complete.
std::string phase_of(const EvaluationRecord& record, const RunData& run) {
  if (record.step == 0) return "start";
  if (!run.complete) return "mid";
  const auto last =
      std::ranges::max(run.evaluations, {}, [](const EvaluationRecord& e) { return e.step; }).step;
  const bool trained_on = !run.steps.empty() && run.steps.back().step > record.step;
  return record.step == last && !trained_on ? "end" : "mid";
}

void layout_evaluations(h5::Writer& writer, const RunData& run, const RunSwitches& switches) {
  const auto sets = by_set(run.evaluations);
  std::string set_names;
  Index judges;
  const EvaluationRecord *with_residual = nullptr, *with_mean = nullptr;
  for (const auto& record : run.evaluations) {
    for (const auto& judge : record.judges) judges.add(h5::storable_text(judge));
    if (record.residual.defined() && with_residual == nullptr) with_residual = &record;
    if (record.mean_residual.defined() && with_mean == nullptr) with_mean = &record;
  }
  for (const auto& rows : sets)
    set_names += (set_names.empty() ? "" : ",") + set_name(*rows.records.front());
  SchemaWriter common(writer, run_schema());
  common.attribute("evaluation_sets", set_names);
  if (!judges.names.empty()) common.coordinate("judge", judges.names);
  if (with_residual != nullptr && switches.residual) {
    std::vector<std::int32_t> layers(static_cast<std::size_t>(with_residual->residual.size(1)));
    for (std::size_t i = 0; i < layers.size(); ++i) layers[i] = static_cast<std::int32_t>(i);
    common.coordinate("layer", layers);
    common.dimension("d_model", static_cast<std::uint64_t>(with_residual->residual.size(2)));
  }
  if (with_mean != nullptr && with_residual != nullptr && switches.residual) {
    std::vector<std::int32_t> places(static_cast<std::size_t>(with_mean->mean_residual.size(0)));
    for (std::size_t i = 0; i < places.size(); ++i)
      places[i] = static_cast<std::int32_t>(i) - static_cast<std::int32_t>(places.size());
    common.coordinate("from_end", places);
  }
  const Tokens tokens(run.evaluations);
  tokens.put_axes(common);
  for (const auto& rows : sets) {
    SchemaWriter out(writer, run_schema(), rows.prefix);
    put_axes(out, rows, run);
    put_decoding(out, rows);
    put_grid(out, rows, Grid(rows, judges));
    tokens.put(out, rows, with_coordinates(rows));
    if (!switches.residual) continue;
    put_streams(writer, out, rows, switches.compress);
    if (with_residual != nullptr)  // else the axes are not there
      put_means(out, rows, run.evaluations);
  }
}

}  // namespace seawall
