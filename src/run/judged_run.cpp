#include "seawall/run/judged_run.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/json.hpp"
#include "seawall/core/options.hpp"
#include "seawall/core/reasons.hpp"
#include "seawall/core/version.hpp"
#include "seawall/pretrained/built_in.hpp"
#include "seawall/scenario/files.hpp"
#include "seawall/scenario/organism.hpp"

namespace seawall {
namespace {

void set_hash(RunInfo& info, const std::string& name, const std::string& value) {
  std::erase_if(info.hashes, [&](const auto& hash) { return hash.first == name; });
  info.hashes.emplace_back(name, value);
}

void hash_verdicts(Sha256& sha, const EvaluationRecord& record) {
  for (const auto& judge : record.judges) sha.field(judge);
  for (const auto& result : record.results)
    for (const auto& v : result.verdicts)
      sha.field(!v.valid ? "none"
                         : detail::to_text(v.score) + " " + detail::to_text(v.probability) + " " +
                               (v.refused ? detail::to_text(*v.refused) : "unknown") + " " +
                               detail::to_text(v.coherent))
          .field(v.reason);
}

}  // namespace

std::unique_ptr<Scenario> scenario_of_run(const RunData& run, const ProbeFiles& at,
                                          const ReaderCatalogue& readers) {
  const auto config = parse_json(run.info.config_json, "configuration of the run");
  const auto used = config.value("options", nlohmann::json::object());
  const bool own = !used.value("data", "").empty() || !used.value("probes", "").empty();
  if (at.probes.empty() && at.utility_probes.empty() && !own &&
      is_built_in_model(used.value("model", "")))
    return std::make_unique<OrganismScenario>();
  // Read as the run read them.
  const auto word = [&used](const char* name) {
    const std::string text = used.value(name, "");
    return text == "auto" ? std::string() : text;
  };
  FileScenarioOptions files;
  files.probe_options.readers = readers;
  files.probes_format = word("probes-format");
  files.utility_format = word("utility-probes-format");
  files.probe_options.column = word("probes-column");
  files.utility_column = word("utility-probes-column");
  files.probe_options.prefill = word("prefill") == "put";
  if (const auto context = word("probes-context"); !context.empty())
    files.probe_options.context = context_use_from(context);
  if (!at.probes.empty()) files.probes = at.probes;
  if (!at.utility_probes.empty()) files.utility_probes = at.utility_probes;
  return std::make_unique<FileScenario>(files);
}

void check_judged(const RunData& run, const Judges& judges) {
  CommonReason why;
  for (const auto& e : run.evaluations)
    for (std::size_t j = 0; j < judges.size() && e.set != ProbeSet::task; ++j) {
      const CommonReason here = invalid_reason(e, j);
      if (static_cast<std::size_t>(here.all) < e.results.size()) return;
      if (here.count > why.count) why = here;
    }
  throw DataError("--judge " + std::string(judges.front()->name()) +
                  ": none of the run's answers could be judged, most often: " + why.text +
                  "; nothing was written");
}

void name_judged_run(RunData& run, const std::filesystem::path& source,
                     const std::filesystem::path& out) {
  const std::string from = sha256_file(source);
  Sha256 sha;
  sha.field(program_version).field(from);
  for (const auto& record : run.evaluations) hash_verdicts(sha, record);
  set_hash(run.info, "judged_from", from);
  set_hash(run.info, "judged", sha.hex());
  run.info.run_id = run.info.hashes.back().second.substr(0, 16);
  run.info.arm = RunPaths(out).file.stem().string();
}

void write_run(const std::filesystem::path& path, const RunData& run) {
  const RunPaths paths(path);
  prepare_folder(paths.file.has_parent_path() ? paths.file.parent_path() : ".");
  const RunLock lock(paths.lock);
  const bool residual =
      std::ranges::any_of(run.evaluations, [](const auto& e) { return e.residual.defined(); });
  RunFile file(paths.file, run.info, {.residual = residual, .param_drift = true, .compress = true});
  for (const auto& step : run.steps) file.on_step(step);
  for (const auto& e : run.evaluations) file.on_evaluation(e);
  file.set_spectra(run.spectra);
  file.publish(run.complete);
}

}  // namespace seawall
