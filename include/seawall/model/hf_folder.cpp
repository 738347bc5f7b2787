// A Hugging Face model folder: config.json beside one safetensors file, or several that an index
// lists.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/json.hpp"
#include "seawall/core/text.hpp"
#include "seawall/model/files.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t max_json_file = std::uint64_t{64} << 20;

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const auto size : shape) text += (text.size() > 1 ? "," : "") + std::to_string(size);
  return text + "]";
}

/// The shards an index names. Errors: DataError for anything but plain file names.
std::set<std::string> read_index(const fs::path& file) {
  const auto where = file.string();
  const auto json = parse_json(read_file(file, max_json_file), where);
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    throw DataError(where + ": want an object with weight_map, an object of file names");
  }
  std::set<std::string> shards;
  for (const auto& [tensor, value] : json["weight_map"].items()) {
    const auto name = value.is_string() ? value.get<std::string>() : std::string();
    if (name.empty() || name == "." || name == ".." ||
        name.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos) {
      throw DataError(where + ": weight_map entry '" + shown(tensor) +
                      "': want a plain file name in the same folder");
    }
    shards.insert(name);
  }
  return shards;
}

/// Tensors that old exports carry and that the config already says.
bool redundant(const std::string& name, const LlamaConfig& config) {
  return name.ends_with(".rotary_emb.inv_freq") ||
         (config.tie_word_embeddings && name == "lm_head.weight");
}

/// The weights in the config's order. Errors: DataError naming a missing, surplus or wrongly shaped
/// tensor.
NamedTensors in_order(const NamedTensors& weights, const LlamaConfig& config,
                      const std::string& where) {
  std::unordered_map<std::string, Tensor> by_name;
  for (const auto& [name, tensor] : weights) {
    if (!by_name.emplace(name, tensor).second) {
      throw DataError(where + ": tensor '" + shown(name) + "' stands in two files");
    }
  }
  NamedTensors ordered;
  for (const auto& [name, shape] : config.parameter_shapes()) {
    const auto found = by_name.find(name);
    if (found == by_name.end()) {
      throw DataError(where + ": tensor '" + name + "' of shape " + shape_text(shape) +
                      " is missing");
    }
    if (found->second.sizes().vec() != shape) {
      throw DataError(where + ": tensor '" + name + "': config.json wants shape " +
                      shape_text(shape) + ", found " + shape_text(found->second.sizes().vec()));
    }
    ordered.push_back({name, std::move(found->second)});
    by_name.erase(found);
  }
  if (!by_name.empty())
    throw DataError(where + ": tensor '" + shown(by_name.begin()->first) +
                    "' does not belong to the model that config.json describes");
  return ordered;
}

}  // namespace

std::vector<fs::path> hf_weight_files(const fs::path& folder) {
  const auto single = folder / "model.safetensors";
  if (fs::exists(single)) return {single};
  const auto index = folder / "model.safetensors.index.json";
  if (fs::exists(index)) {
    std::vector<fs::path> files;
    for (const auto& shard : read_index(index)) files.push_back(folder / shard);
    return files;
  }
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto extension = entry.path().extension();
    if (extension == ".bin" || extension == ".pt" || extension == ".pth") {
      throw DataError(
          entry.path().string() +
          ": pickled weights can run code and are not read; convert them in Python with "
          "model.save_pretrained(DIR, safe_serialization=True)");
    }
  }
  throw IoError(folder.string() + ": want model.safetensors beside config.json, found none");
}

NamedTensors read_hf_weights(const fs::path& folder, at::ScalarType type,
                             const WantedTensors& wanted) {
  NamedTensors all;
  for (const auto& file : hf_weight_files(folder))
    for (auto& tensor : read_safetensors(file, type, wanted)) all.push_back(std::move(tensor));
  return all;
}

HfFolder read_hf_folder(const fs::path& folder, at::ScalarType type) {
  if (!fs::is_directory(folder)) {
    throw IoError(folder.string() + ": want a folder with config.json and model.safetensors");
  }
  const auto config_file = folder / "config.json";
  auto config = LlamaConfig::from_json(read_file(config_file, max_json_file), config_file.string());
  const auto wanted = [&](const std::string& name) { return !redundant(name, config); };
  auto weights = in_order(read_hf_weights(folder, type, wanted), config, folder.string());
  return {.config = config, .weights = std::move(weights)};
}

void write_hf_folder(const fs::path& folder, const LlamaConfig& config, const NamedTensors& weights,
                     std::int32_t bos_id, std::int32_t eos_id) {
  config.check();
  const auto ordered = in_order(weights, config, "export to " + folder.string());
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw IoError(folder.string() + ": cannot create the folder: " + error.message());
  }
  write_safetensors(folder / "model.safetensors", ordered, {{"format", "pt"}});
  const nlohmann::ordered_json generation = {{"bos_token_id", bos_id}, {"eos_token_id", eos_id}};
  write_file_atomically(folder / "generation_config.json", generation.dump(2) + "\n");
  auto json = nlohmann::ordered_json::parse(config.to_json());
  json["bos_token_id"] = bos_id;
  json["eos_token_id"] = eos_id;
  const auto type = ordered.front().tensor.scalar_type();
  if (type == at::kBFloat16) json["torch_dtype"] = "bfloat16";
  if (type == at::kHalf) json["torch_dtype"] = "float16";
  write_file_atomically(folder / "config.json", json.dump(2) + "\n");
}

}  // namespace seawall
