#include "seawall/run/outputs.hpp"

#include <algorithm>
#include <exception>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "seawall/core/file.hpp"
#include "seawall/eval/evaluate.hpp"
#include "seawall/eval/verdict_file.hpp"

namespace seawall {
namespace {

std::map<std::string, const Probe*> by_id(const Scenario& scenario) {
  std::map<std::string, const Probe*> out;
  for (const auto set : probe_sets)
    for (const auto& probe : scenario.probes(set)) out.emplace(probe.id, &probe);
  return out;
}

Probe recorded(const ProbeResult& result) {
  Probe probe{.id = result.probe_id,
              .category = result.category,
              .dialogue = {{{Role::user, result.prompt}}},
              .restricted = result.restricted,
              .expected = {}};
  if (!result.prefill.empty()) probe.dialogue.messages.push_back({Role::assistant, result.prefill});
  return probe;
}

/// Drops the verdicts of judges that the new ones replace, and puts the others behind them.
void put_behind(EvaluationRecord& record, const std::vector<std::string>& names,
                const std::vector<std::vector<Verdict>>& earlier) {
  for (std::size_t j = 0; j < names.size(); ++j) {
    if (std::ranges::find(record.judges, names[j]) != record.judges.end()) continue;
    record.judges.push_back(names[j]);
    for (std::size_t i = 0; i < record.results.size(); ++i)
      record.results[i].verdicts.push_back(earlier[i][j]);
  }
}

}  // namespace

std::string WrittenAnswers::text() const {
  return std::to_string(written) + " answers" +
         (without_answer == 0
              ? ""
              : " (left out: " + std::to_string(without_answer) + " without an answer)");
}

WrittenAnswers write_outputs(const std::filesystem::path& path, const RunData& run) {
  std::string text;
  std::set<std::string> written;
  WrittenAnswers done;
  for (const auto& e : run.evaluations) {
    for (const auto& r : e.results) {
      if (!r.no_answer.empty()) {
        ++done.without_answer;
        continue;
      }
      const auto id = answer_id(r.probe_id, r.prompt, judged_text(e, r));
      if (!written.insert(id).second) continue;
      nlohmann::ordered_json line{{"id", id},
                                  {"probe", r.probe_id},
                                  {"category", r.category},
                                  {"restricted", r.restricted},
                                  {"set", probe_set_name(e.set)},
                                  {"condition", e.condition},
                                  {"step", e.step},
                                  {"epoch", e.epoch},
                                  {"seed", run.info.seed},
                                  {"prompt", r.prompt},
                                  {"response", r.response}};
      if (!r.prefill.empty()) line["prefill"] = r.prefill;
      if (r.sample > 0) line["sample"] = r.sample;
      if (!r.finished) line["finished"] = false;
      if (r.declined) line["declined"] = true;
      text += line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    }
  }
  write_file_atomically(path, text);
  done.written = written.size();
  return done;
}

void check_outputs_path(const std::filesystem::path& outputs,
                        const std::vector<std::filesystem::path>& own) {
  const auto place = [](const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::weakly_canonical(std::filesystem::absolute(path), ignored);
  };
  for (const auto& file : own)
    if (!outputs.empty() && !file.empty() && place(outputs) == place(file))
      throw UsageError("--write-outputs " + outputs.string() +
                       ": is a file of the run itself; name another");
}

std::string keep_answers(const RunSpec& spec, RunFile& file) {
  const std::size_t whole = file.data().evaluations.size();
  if (whole == 0) return "";
  const std::string what = "; " + std::to_string(whole) +
                           (whole == 1 ? " evaluation before it is" : " evaluations before it are");
  try {
    file.publish();
    if (!spec.place.write_outputs.empty()) write_outputs(spec.place.write_outputs, file.data());
  } catch (const std::exception& error) {
    const std::string why = error.what();
    return what + " lost: " + why.substr(0, why.find('\n'));
  }
  return what + " kept in " + file.paths().file.string() +
         (spec.training.none ? ", --resume continues" : "");
}

void judge_anew(RunData& run, const Scenario& scenario, const Judges& judges) {
  const auto known = by_id(scenario);
  for (auto& record : run.evaluations) {
    if (record.set == ProbeSet::task) continue;  // has right answers; no judge knows better
    std::vector<Probe> probes;
    std::vector<std::vector<Verdict>> earlier;
    for (auto& result : record.results) {
      const auto found = known.find(result.probe_id);
      probes.push_back(found == known.end() ? recorded(result) : *found->second);
      earlier.push_back(std::move(result.verdicts));
    }
    const auto names = record.judges;
    judge_record(record, probes, judges);
    put_behind(record, names, earlier);
  }
}

}  // namespace seawall
