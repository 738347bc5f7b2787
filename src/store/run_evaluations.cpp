#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "store/run_layout.hpp"
#include "store/schema.hpp"

namespace seawall {
namespace {

constexpr float float_nan = std::numeric_limits<float>::quiet_NaN();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// Names in order of first appearance, and the place of each.
struct Index {
  std::vector<std::string> names;
  std::map<std::string, std::size_t> places;
  std::size_t add(const std::string& name) {
    const auto [found, fresh] = places.emplace(name, names.size());
    if (fresh) names.push_back(name);
    return found->second;
  }
};

/// The evaluations of one set of probes, with the column of each of their results.
struct SetRows {
  ProbeSet set;
  std::string prefix;
  std::vector<const EvaluationRecord*> records;
  std::vector<std::int64_t> order;
  Index probes;
  std::vector<std::vector<std::size_t>> columns;  // [evaluation][result] -> probe
  std::string name(const char* variable) const { return prefix + variable; }
};

std::vector<SetRows> by_set(const std::vector<EvaluationRecord>& evaluations) {
  std::vector<SetRows> sets;
  for (std::size_t i = 0; i < evaluations.size(); ++i) {
    const auto& record = evaluations[i];
    auto found = std::find_if(sets.begin(), sets.end(),
                              [&](const SetRows& s) { return s.set == record.set; });
    if (found == sets.end())
      found = sets.insert(sets.end(), {record.set, prefix_of(record.set), {}, {}, {}, {}});
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
    out.variable("rendered_prompt", rendered, more);
    out.variable("prompt_length", length, more);
    out.variable("prompt_ids", ids, more);
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

/// The word by which CF readers make these variables coordinates.
h5::Attributes with_coordinates(const SetRows& rows) {
  std::string names;
  for (const char* name :
       {"eval_step", "eval_epoch", "phase", "condition", "set", "category", "restricted"})
    names += (names.empty() ? "" : " ") + rows.name(name);
  return {{"coordinates", names}};
}

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
  std::vector<std::int64_t> samples;
  for (const auto* record : rows.records) {
    begun_with.push_back(h5::storable_text(record->decoding.prefill));
    temperature.push_back(record->decoding.temperature);
    top_p.push_back(record->decoding.top_p);
    samples.push_back(record->decoding.samples);
  }
  out.variable("begun_with", begun_with);
  out.variable("temperature", temperature);
  out.variable("top_p", top_p);
  out.variable("samples", samples);
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

/// bf16-valued floats shrink to a third under gzip; full float32 mantissas do not shrink and would
/// only cost time.
bool is_narrow(const Tensor& residual) {
  const auto* values = residual.const_data_ptr<float>();
  const auto count = std::min<std::int64_t>(residual.numel(), 4096);
  return std::all_of(values, values + count,
                     [](float v) { return (std::bit_cast<std::uint32_t>(v) & 0xFFFFu) == 0; });
}

/// Rows of residual streams that hold values.
std::int64_t streams_in(const SetRows& rows) {
  std::int64_t count = 0;
  for (const auto* record : rows.records) {
    if (!record->residual.defined()) continue;
    const auto row = record->residual.size(1) * record->residual.size(2);
    const auto* values = record->residual.const_data_ptr<float>();
    for (std::int64_t r = 0; r < record->residual.size(0); ++r)
      count += !std::all_of(values + r * row, values + (r + 1) * row,
                            [](float v) { return std::isnan(v); });
  }
  return count;
}

void put_residual(h5::Writer& writer, SchemaWriter& out, const SetRows& rows, bool compress) {
  const auto has = [](const auto* record) { return record->residual.defined(); };
  const auto found = std::find_if(rows.records.begin(), rows.records.end(), has);
  if (found == rows.records.end()) return;
  const auto probes = rows.probes.names.size();
  const auto layers = static_cast<std::size_t>((*found)->residual.size(1));
  const auto width = static_cast<std::size_t>((*found)->residual.size(2));
  if (probes == 0 || layers == 0 || width == 0) return;
  const auto block = std::clamp<std::size_t>((std::size_t{1} << 20) / (4 * width), 1, probes);
  h5::Layout layout{.chunk = {1, block, 1, width},
                    .compress = compress && is_narrow((*found)->residual),
                    .attributes = with_coordinates(rows)};
  layout.attributes.emplace_back("dim_order", std::string("C"));
  layout.attributes.emplace_back("module_name",
                                 std::string("model.embed_tokens (layer 0), output of "
                                             "model.layers.{layer-1}"));
  layout.attributes.emplace_back("hook_name", std::string("hook_embed (layer 0), "
                                                          "blocks.{layer-1}.hook_resid_post"));
  // Probes that got no answer, or were not asked, have no stream: NaN, and not counted here.
  layout.attributes.emplace_back("n_valid", streams_in(rows));
  const auto name = rows.name("resid_post");
  out.variable("resid_post", layout);
  std::vector<float> plane(probes * width);
  for (std::size_t e = 0; e < rows.records.size(); ++e) {
    if (!has(rows.records[e])) continue;
    const auto* values = rows.records[e]->residual.template const_data_ptr<float>();
    for (std::size_t layer = 0; layer < layers; ++layer) {
      std::fill(plane.begin(), plane.end(), float_nan);
      for (std::size_t r = 0; r < rows.columns[e].size(); ++r)
        std::copy_n(values + (r * layers + layer) * width, width,
                    plane.begin() + static_cast<std::ptrdiff_t>(rows.columns[e][r] * width));
      writer.write(name, {e, 0, layer, 0}, {1, probes, 1, width}, plane);
    }
  }
}

/// The mean streams of evaluations that have them; NaN for the others.
void put_mean(SchemaWriter& out, const SetRows& rows) {
  const auto has = [](const auto* record) { return record->mean_residual.defined(); };
  const auto found = std::ranges::find_if(rows.records, has);
  if (found == rows.records.end()) return;
  const auto size = static_cast<std::size_t>((*found)->mean_residual.numel());
  std::vector<float> all(rows.records.size() * size, float_nan);
  for (std::size_t e = 0; e < rows.records.size(); ++e)
    if (has(rows.records[e]))
      std::copy_n(rows.records[e]->mean_residual.const_data_ptr<float>(), size,
                  all.begin() + static_cast<std::ptrdiff_t>(e * size));
  out.variable("resid_mean", all);
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
    set_names += (set_names.empty() ? "" : ",") + probe_set_name(rows.set);
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
    put_residual(writer, out, rows, switches.compress);
    put_mean(out, rows);
  }
}

}  // namespace seawall
