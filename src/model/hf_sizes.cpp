// A Hugging Face folder by its sizes alone.
#include <ATen/ops/empty.h>

#include <algorithm>
#include <map>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/text.hpp"
#include "seawall/model/files.hpp"
#include "seawall/model/hf_names.hpp"

namespace seawall {

HfFolder list_hf_folder(const std::filesystem::path& folder) {
  const auto config_file = folder / "config.json";
  if (!std::filesystem::is_directory(folder))
    throw IoError(folder.string() + ": want a folder with config.json and model.safetensors");
  HfFolder out;
  out.config =
      LlamaConfig::from_json(read_file(config_file, std::uint64_t{64} << 20), config_file.string());
  std::map<std::string, StoredTensor> stored;
  for (const auto& file : hf_weight_files(folder))
    for (auto& tensor : list_safetensors(file))
      if (extra_of(tensor.name) == Extra::none) stored.emplace(canonical_name(tensor.name), tensor);
  if (out.config.tie_word_embeddings && !stored.contains("model.embed_tokens.weight"))
    if (auto head = stored.extract("lm_head.weight")) {
      head.key() = "model.embed_tokens.weight";
      stored.insert(std::move(head));
    }
  const std::map<std::string, at::ScalarType> types{
      {"F32", at::kFloat}, {"F16", at::kHalf}, {"BF16", at::kBFloat16}};
  for (const auto& [name, shape] : out.config.parameter_shapes()) {
    const auto found = stored.find(name);
    if (found == stored.end())
      throw DataError(folder.string() + ": tensor '" + name + "' is missing");
    const auto type = types.find(found->second.type);
    if (found->second.shape != shape || type == types.end())
      throw DataError(folder.string() + ": tensor '" + name +
                      "': config.json wants another shape, or its type " +
                      shown(found->second.type) + " is none of F32, F16 and BF16");
    out.weights.push_back(
        {name, at::empty(shape, at::TensorOptions(type->second).device(at::kMeta))});
  }
  return out;
}

}  // namespace seawall
