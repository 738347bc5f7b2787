// What a run file says of its run, and the hash of all that makes it.
#include <ATen/core/Tensor.h>
#include <torch/headeronly/version.h>

#include <nlohmann/json.hpp>

#include "seawall/core/hash.hpp"
#include "seawall/core/version.hpp"
#include "seawall/run/arm.hpp"
#include "seawall/run/run_provenance.hpp"
#include "seawall/store/hdf5.hpp"

namespace seawall {

std::string Arm::config_hash() const {
  Sha256 sha;
  hash_options(sha, spec_, attack_, stack_);
  sha.field(model_.weights_hash).field(model_.tokenizer->content_hash()).field(rows_hash_);
  if (const auto source = model_.chat_template->source(); !source.empty()) sha.field(source);
  if (model_.vision) sha.field(model_.vision_hash);
  if (model_.rules.change_answers()) {
    sha.field(model_.rules.text());
    const auto found = model_.files.find("generation_config.json");
    if (found != model_.files.end()) sha.field(found->second);
  }
  if (!model_.adapter_hash.empty()) sha.field(model_.adapter_hash);
  for (const auto set : {ProbeSet::harmfulness, ProbeSet::utility})
    sha.field(probes_hash(scenario_->probes(set)));
  return sha.hex();
}

RunInfo Arm::run_info(const Dataset& rows, const Measured& measured) const {
  const Adapter* adapter = model_.decoder->adapter();
  RunInfo info;
  info.started_utc = utc_now();
  info.seed = static_cast<std::uint64_t>(spec_.seed);
  info.config_json = options_json(spec_, attack_, stack_, *scenario_);
  auto config = nlohmann::json::parse(info.config_json);
  config["answers"] = model_.rules.text();  // which rules the model's files gave
  if (adapter) {                            // one that was read has a shape that no option tells
    config["lora"] = {{"rank", adapter->options.rank},
                      {"alpha", adapter->options.alpha},
                      {"targets", targets_text(adapter->options.targets)},
                      {"dropout", adapter->options.dropout},
                      {"trained_parameters", adapter->count()}};
  }
  info.config_json = config.dump();
  info.hashes = {{"model", model_.weights_hash},
                 {"tokenizer", model_.tokenizer->content_hash()},
                 {"rows", rows_hash_},
                 {"probes", probes_hash(scenario_->probes(ProbeSet::harmfulness))},
                 {"utility_probes", probes_hash(scenario_->probes(ProbeSet::utility))},
                 {"options", config_hash()}};
  if (const auto source = model_.chat_template->source(); !source.empty())
    info.hashes.emplace(info.hashes.end() - 1, "chat_template", sha256_hex(source));
  if (model_.vision) info.hashes.emplace(info.hashes.end() - 1, "vision", model_.vision_hash);
  if (!model_.adapter_hash.empty())
    info.hashes.emplace(info.hashes.end() - 1, "adapter", model_.adapter_hash);
  info.run_id = info.hashes.back().second.substr(0, 16);
  info.versions = {{"seawall", kVersion}, {"libtorch", TORCH_VERSION}, {"hdf5", h5::version()}};
  for (const auto& p : model_.decoder->parameters()) info.parameter_names.push_back(p.name);
  count_rows(rows, info);
  if (adapter)
    info.numbers.insert(info.numbers.end(),
                        {{"lora_rank", static_cast<double>(adapter->options.rank)},
                         {"lora_alpha", adapter->options.alpha},
                         {"trained_parameters", static_cast<double>(adapter->count())}});
  if (source_) {
    const DataReport& r = source_->report();
    info.numbers.insert(info.numbers.end(),
                        {{"rows_used", static_cast<double>(source_->rows_seen(source_->steps()))},
                         {"rows_truncated", static_cast<double>(r.truncated)},
                         {"rows_left_out", static_cast<double>(r.left_out)},
                         {"rows_dropped_an_epoch", static_cast<double>(r.dropped)}});
  }
  if (model_.chat_template->merges_system())
    info.numbers.insert(info.numbers.end(),
                        {{"rows_system_merged", static_cast<double>(merged_system_.rows)},
                         {"probes_system_merged", static_cast<double>(merged_system_.probes)}});
  info.numbers.insert(info.numbers.end(), measured.begin(), measured.end());
  record_provenance(provenance_, info);
  record_files(*scenario_, info);
  return info;
}

}  // namespace seawall
