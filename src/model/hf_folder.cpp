// A Hugging Face model folder: config.json beside one safetensors file, or several that an index
// lists.
#include <algorithm>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/json.hpp"
#include "seawall/core/text.hpp"
#include "seawall/model/files.hpp"
#include "seawall/model/hf_names.hpp"

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

/// The weights under their usual names; one that is there twice with the same values is taken once.
NamedTensors renamed(NamedTensors&& weights, const std::string& where) {
  std::unordered_map<std::string, std::size_t> places;
  NamedTensors out;
  for (auto& [name, tensor] : weights) {
    const auto [at, fresh] = places.try_emplace(canonical_name(name), out.size());
    if (fresh) {
      out.push_back({at->first, std::move(tensor)});
    } else if (!out[at->second].tensor.equal(tensor)) {
      throw DataError(where + ": tensor '" + shown(name) + "' is there twice as " + at->first +
                      ", with other values");
    }
  }
  return out;
}

/// Source: transformers 5.23, PreTrainedModel.tie_weights.
void settle_head(HfFolder& read, const std::string& where) {
  const auto find = [&](const char* name) {
    return std::ranges::find(read.weights, name, &NamedTensor::name);
  };
  const auto head = find("lm_head.weight"), embedding = find("model.embed_tokens.weight");
  const auto end = read.weights.end();
  if (!read.config.tie_word_embeddings) {
    if (head == end && embedding != end)
      throw DataError(
          where +
          ": tensor 'lm_head.weight' is missing, and config.json does not tie it to the "
          "embedding; set tie_word_embeddings to true if the model has no head of its "
          "own (transformers would fill it with random values)");
    return;
  }
  if (head == end) return;
  if (embedding == end) {
    head->name = "model.embed_tokens.weight";
    return;
  }
  if (head->tensor.equal(embedding->tensor)) {
    read.weights.erase(head);
    return;
  }
  read.config.tie_word_embeddings = false;
  read.notices.push_back(where +
                         ": config.json ties the head to the embedding (tie_word_embeddings), the "
                         "weights have an lm_head with other values: lm_head counts, as in "
                         "transformers");
}

/// The weights in the config's order. Errors: DataError naming a missing, surplus or wrongly shaped
/// tensor.
NamedTensors in_order(const NamedTensors& weights, const LlamaConfig& config,
                      const std::string& where) {
  std::unordered_map<std::string, Tensor> by_name;
  for (const auto& [name, tensor] : weights) {
    if (!by_name.emplace(name, tensor).second) {
      throw DataError(where + ": tensor '" + shown(name) + "' is in two files");
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
  throw IoError(folder.string() + ": want model.safetensors next to config.json, found none");
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
  HfFolder read{.config = config, .weights = {}, .notices = {}};
  const auto wanted = [](const std::string& name) { return extra_of(name) == Extra::none; };
  read.weights = renamed(read_hf_weights(folder, type, wanted), folder.string());
  settle_head(read, folder.string());
  read.weights = in_order(read.weights, read.config, folder.string());
  std::vector<StoredTensor> stored;
  for (const auto& file : hf_weight_files(folder))
    std::ranges::move(list_safetensors(file), std::back_inserter(stored));
  std::ranges::copy(notices_of(folder, stored), std::back_inserter(read.notices));
  return read;
}

Notices notices_of(const fs::path& folder, const std::vector<StoredTensor>& tensors) {
  Notices out;
  const auto file = folder / "config.json";
  const auto json = parse_json(read_file(file, max_json_file), file.string());
  const std::map<std::string, std::string> names{
      {"float32", "F32"}, {"float16", "F16"}, {"bfloat16", "BF16"}};
  std::string said;
  for (const auto* key : {"torch_dtype", "dtype"})
    if (json.is_object() && json.contains(key) && json[key].is_string())
      said = json[key].get<std::string>();
  if (said.starts_with("torch.")) said.erase(0, 6);
  const auto want = names.find(said);
  std::string other, part;
  for (const auto& tensor : tensors) {
    if (extra_of(tensor.name) == Extra::other_part) part = tensor.name;
    if (extra_of(tensor.name) == Extra::none && want != names.end() && tensor.type != want->second)
      other = tensor.type;
  }
  if (!other.empty())
    out.push_back(file.string() + " says dtype " + said + ", the weights are stored as " +
                  shown(other) + ": the stored values count (transformers would convert them)");
  if (!part.empty())
    out.push_back(folder.string() + ": tensors of other parts are left out, such as '" +
                  shown(part) + "'");
  return out;
}

std::string config_json(const LlamaConfig& config, const EndIds& ends) {
  auto json = nlohmann::ordered_json::parse(config.to_json());
  if (ends.bos) json["bos_token_id"] = *ends.bos;
  if (ends.eos.size() == 1) json["eos_token_id"] = ends.eos.front();
  if (ends.eos.size() > 1) json["eos_token_id"] = ends.eos;
  return json.dump(2) + "\n";
}

void write_hf_folder(const fs::path& folder, const LlamaConfig& config, const NamedTensors& weights,
                     const EndIds& ends) {
  config.check();
  const auto ordered = in_order(weights, config, "export to " + folder.string());
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw IoError(folder.string() + ": cannot create the folder: " + error.message());
  }
  write_safetensors(folder / "model.safetensors", ordered, {{"format", "pt"}});
  auto json = nlohmann::ordered_json::parse(config_json(config, ends));
  auto generation = nlohmann::ordered_json::object();
  for (const auto* key : {"bos_token_id", "eos_token_id"})
    if (json.contains(key)) generation[key] = json[key];
  write_file_atomically(folder / "generation_config.json", generation.dump(2) + "\n");
  const auto type = ordered.front().tensor.scalar_type();
  if (type == at::kBFloat16) json["torch_dtype"] = "bfloat16";
  if (type == at::kHalf) json["torch_dtype"] = "float16";
  write_file_atomically(folder / "config.json", json.dump(2) + "\n");
}

}  // namespace seawall
