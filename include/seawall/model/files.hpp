#pragma once
// Weights on disk: safetensors (read and write) and GGUF (read). Memory-mapped; every count and
// offset is checked before use.
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "seawall/core/tensor.hpp"
#include "seawall/model/config.hpp"

namespace seawall {

/// Reads one .safetensors file (F32, F16, BF16; converted to fp32 on load when `to_float`).
/// Errors: IoError; DataError naming file, tensor and byte offset (rules of the format: sorted,
/// dense, checked arithmetic, no duplicates).
NamedTensors read_safetensors(const std::filesystem::path& file, bool to_float = true);
/// The same, of the tensors that `wanted` takes by name; others may be of any type.
NamedTensors read_safetensors(const std::filesystem::path& file, bool to_float,
                              const std::function<bool(const std::string&)>& wanted);
/// Writes tensors in the given order, atomically (temporary file, fsync, rename). `metadata`
/// becomes __metadata__.
void write_safetensors(const std::filesystem::path& file, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata = {});

/// A GGUF file's metadata and tensors.
class GgufFile {
 public:
  using Value =
      std::variant<std::uint64_t, std::int64_t, double, bool, std::string, std::vector<std::string>,
                   std::vector<std::int64_t>, std::vector<double>>;
  /// Reads versions 2 and 3. Errors: IoError; DataError naming file, key and byte offset.
  explicit GgufFile(const std::filesystem::path& file);
  ~GgufFile();
  GgufFile(GgufFile&&) noexcept;
  bool has(const std::string& key) const;
  std::int64_t integer(const std::string& key) const;
  double number(const std::string& key) const;
  const std::string& text(const std::string& key) const;
  const std::vector<std::string>& texts(const std::string& key) const;
  const std::vector<std::int64_t>& integers(const std::string& key) const;
  const std::map<std::string, Value>& metadata() const;
  struct TensorInfo {
    std::string name, type;
    std::vector<std::int64_t> shape;  // row-major, PyTorch order
    std::uint64_t offset = 0, bytes = 0;
  };
  const std::vector<TensorInfo>& tensors() const;
  /// Dequantized to fp32. Types: F32, F16, BF16, Q8_0, Q4_0, Q4_1.
  Tensor load(const TensorInfo& info) const;
  /// The Llama config from `llama.*` keys, and the weights under Hugging Face names (rotary rows of
  /// q and k permuted back).
  LlamaConfig llama_config() const;
  NamedTensors llama_weights() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A Hugging Face folder's config.json and one safetensors file.
struct HfFolder {
  LlamaConfig config;
  NamedTensors weights;  // fp32
};
HfFolder read_hf_folder(const std::filesystem::path& folder);
/// The tensors that `wanted` takes from model.safetensors, or from the shards of its index. Errors:
/// those of read_safetensors; IoError where there is neither.
NamedTensors read_hf_weights(const std::filesystem::path& folder,
                             const std::function<bool(const std::string&)>& wanted);
/// Writes config.json, generation_config.json and model.safetensors that transformers loads.
void write_hf_folder(const std::filesystem::path& folder, const LlamaConfig& config,
                     const NamedTensors& weights, std::int32_t bos_id, std::int32_t eos_id);

}  // namespace seawall
