#include "seawall/run/judged_run.hpp"

#include <algorithm>

#include "seawall/core/hash.hpp"
#include "seawall/core/version.hpp"

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
      sha.field(v.valid ? std::to_string(v.score) + " " + std::to_string(v.probability) : "none")
          .field(v.reason);
}

}  // namespace

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
