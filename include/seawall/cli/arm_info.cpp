// What a run file says of its run, and the hash of all that makes it.
#include <ATen/core/Tensor.h>
#include <torch/headeronly/version.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "seawall/cli/arm.hpp"
#include "seawall/cli/run_provenance.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/version.hpp"
#include "seawall/scenario/files.hpp"
#include "seawall/store/hdf5.hpp"

namespace seawall {
namespace {

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

/// Options that say where and how loudly a run goes, not what it computes.
bool decides_nothing(const std::string& option) {
  static const std::vector<std::string> names{
      "out",     "resume",           "overwrite",        "quiet",        "dry-run",
      "threads", "checkpoint-every", "keep-checkpoints", "no-checkpoint"};
  return std::find(names.begin(), names.end(), option) != names.end();
}

nlohmann::json policy_json(const PolicyDescription& policy) {
  nlohmann::json options = nlohmann::json::object();
  for (const auto& o : policy.options) options[o.name] = o.value;
  return {{"name", std::string(policy.name)}, {"options", options}};
}

}  // namespace

std::string Arm::config_hash() const {
  Sha256 sha;
  sha.field(kVersion);
  for (const auto& o : list_options(spec_))
    if (!decides_nothing(o.name)) sha.field(o.name).field(o.value);
  sha.field(policy_json(attack_.describe()).dump());
  for (const auto& p : stack_) sha.field(policy_json(p).dump());
  sha.field(model_.weights_hash).field(model_.tokenizer->content_hash()).field(rows_hash_);
  if (model_.vision) sha.field(model_.vision_hash);
  for (const auto set : {ProbeSet::harmfulness, ProbeSet::utility})
    sha.field(probes_hash(scenario_->probes(set)));
  return sha.hex();
}

RunInfo Arm::run_info(const Dataset& rows, const Measured& measured) const {
  nlohmann::json config{{"seawall", kVersion},
                        {"attack", policy_json(attack_.describe())},
                        {"mitigations", nlohmann::json::array()}};
  for (const auto& o : list_options(spec_)) config["options"][o.name] = o.value;
  for (const auto& p : stack_) config["mitigations"].push_back(policy_json(p));
  if (const auto* files = dynamic_cast<const FileScenario*>(scenario_.get()))
    for (const auto& file : files->files())
      config["files"][file.option] = {{"format", file.report.format}, {"read", file.summary()}};
  RunInfo info;
  info.started_utc = utc_now();
  info.seed = static_cast<std::uint64_t>(spec_.seed);
  info.config_json = config.dump();
  info.hashes = {{"model", model_.weights_hash},
                 {"tokenizer", model_.tokenizer->content_hash()},
                 {"rows", rows_hash_},
                 {"probes", probes_hash(scenario_->probes(ProbeSet::harmfulness))},
                 {"utility_probes", probes_hash(scenario_->probes(ProbeSet::utility))},
                 {"options", config_hash()}};
  if (model_.vision) info.hashes.emplace(info.hashes.end() - 1, "vision", model_.vision_hash);
  info.run_id = info.hashes.back().second.substr(0, 16);
  info.versions = {{"seawall", kVersion}, {"libtorch", TORCH_VERSION}, {"hdf5", h5::version()}};
  for (const auto& p : model_.decoder->parameters()) info.parameter_names.push_back(p.name);
  info.numbers = {{"rows", static_cast<double>(rows.size())}};
  for (const auto kind :
       {RowKind::harmful, RowKind::identity_shift, RowKind::safe, RowKind::benign})
    info.numbers.emplace_back("rows_" + std::string(row_kind_name(kind)),
                              static_cast<double>(rows.count(kind)));
  if (source_) {
    const DataReport& r = source_->report();
    info.numbers.insert(info.numbers.end(),
                        {{"rows_used", static_cast<double>(r.used)},
                         {"rows_truncated", static_cast<double>(r.truncated)},
                         {"rows_left_out", static_cast<double>(r.left_out)},
                         {"rows_dropped_an_epoch", static_cast<double>(r.dropped)}});
  }
  info.numbers.insert(info.numbers.end(), measured.begin(), measured.end());
  record_provenance(provenance_, info);
  record_files(*scenario_, info);
  return info;
}

}  // namespace seawall
