#include "seawall/pretrained/adapter.hpp"

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "pretrained/weights_hash.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/json.hpp"
#include "seawall/model/not_finite.hpp"
#include "seawall/model/peft.hpp"
#include "seawall/store/checkpoint.hpp"

namespace seawall {
namespace fs = std::filesystem;
namespace {

constexpr const char* base_hash = "seawall_base_sha256";

Adapter of_checkpoint(const ModelBundle& bundle, const fs::path& path) {
  LoadedCheckpoint loaded = load_checkpoint_parameters(path);
  const auto card = loaded.state.files.find(adapter_config);
  if (card == loaded.state.files.end())
    throw UsageError("--adapter " + path.string() +
                     ": a checkpoint of whole weights, not of an adapter; give it as --model");
  const std::string where = (loaded.path / adapter_config).string();
  nlohmann::json config = parse_json(card->second, where);
  const auto base = config.find(base_hash);
  if (base == config.end() || *base != bundle.weights_hash)
    throw DataError(where + ": the adapter belongs to weights with another SHA-256 than --model " +
                    bundle.word + "; give the model that the run was started with");
  config.erase(base_hash);
  NamedTensors factors = std::move(loaded.state.parameters);
  for (auto& [name, tensor] : factors) tensor = tensor.to(at::kFloat);
  return adapter_from(config.dump(), factors, bundle.decoder->config(), where);
}

/// DoRA, whole modules and factors of the embedding or the head become part of the weights.
void merge_whole(ModelBundle& bundle, const PeftFile& file, const std::string& word) {
  Sha256 sha;
  sha.field(adapter_config_json(file.adapter, ""));
  for (const auto* list : {&file.magnitudes, &file.saved, &file.deltas})
    sha.field(hash_finite_weights(*list, word));
  bundle.adapter_hash = sha.field(hash_finite_weights(file.adapter.tensors(), word)).hex();
  LlamaConfig config = bundle.decoder->config();
  const auto weights = merge_peft(file, bundle.decoder->parameters(), config);
  if (const auto bad = weight_not_finite(weights); !bad.empty())
    throw DataError("--adapter " + word + ": merged into the model, tensor " + bad);
  bundle.decoder = std::make_unique<Decoder>(config, weights);
}

}  // namespace

ModelBundle load_pretrained(const ModelSpec& spec, LoadOptions options) {
  options.tokenizer_pre = spec.tokenizer_pre;
  options.greedy = spec.decoding == "greedy";
  if (!options.type && spec.dtype != "auto") options.type = dtype_of(spec.dtype);
  if (!options.type && !spec.adapter.empty()) options.type = at::kFloat;  // rounded once, if at all
  ModelBundle bundle = load_model(spec.name, spec.device, spec.chat_template, options);
  if (!spec.adapter.empty()) load_adapter(bundle, spec.adapter);
  return bundle;
}

void load_adapter(ModelBundle& bundle, const std::string& word) {
  const fs::path path(word);
  if (!fs::is_directory(path))
    throw UsageError("--adapter " + word +
                     ": no such folder; want a PEFT adapter (adapter_config.json next to "
                     "adapter_model.safetensors) or a checkpoint of a LoRA run");
  PeftFile file;
  if (is_peft_folder(path) && !is_checkpoint(path))
    file = read_peft_file(path, bundle.decoder->config());
  else
    file.adapter = of_checkpoint(bundle, path);
  if (!file.plain()) return merge_whole(bundle, file, word);
  Adapter adapter = std::move(file.adapter);
  NamedTensors factors = adapter.tensors();
  bundle.adapter_hash = Sha256()
                            .field(adapter_config_json(adapter, ""))
                            .field(hash_finite_weights(factors, word))
                            .hex();
  const auto like = bundle.decoder->embedding().options().requires_grad(false);
  for (auto& [name, tensor] : factors) tensor = tensor.to(like);
  adapter.replace(factors);
  bundle.decoder->adapt(std::move(adapter));
}

std::string adapter_card(const ModelBundle& bundle) {
  auto config = nlohmann::json::parse(adapter_config_json(*bundle.decoder->adapter(), bundle.word));
  config[base_hash] = bundle.weights_hash;
  return config.dump(2) + "\n";
}

}  // namespace seawall
