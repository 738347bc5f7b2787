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

#include "seawall/core/notices.hpp"
#include "seawall/core/tensor.hpp"
#include "seawall/model/config.hpp"

namespace seawall {

/// Reads one .safetensors file (F32, F16, BF16; converted to fp32 on load when `to_float`).
/// Memory: each tensor is made from the mapped file, whose pages are let go after it.
/// Errors: IoError; DataError naming file, tensor and byte offset (rules of the format: sorted,
/// dense, checked arithmetic, no duplicates).
NamedTensors read_safetensors(const std::filesystem::path& file, bool to_float = true);
/// Chooses tensors by name.
using WantedTensors = std::function<bool(const std::string&)>;
/// The same, of the tensors that `wanted` takes, as `type` (none: as stored); others may be of any
/// type.
NamedTensors read_safetensors(const std::filesystem::path& file, std::optional<at::ScalarType> type,
                              const WantedTensors& wanted);
/// A tensor of a file as its header has it.
struct StoredTensor {
  std::string name, type;
  std::vector<std::int64_t> shape;
  std::uint64_t bytes = 0;
};
/// What a .safetensors file holds, in file order; no data is read. Errors: those of
/// read_safetensors.
std::vector<StoredTensor> list_safetensors(const std::filesystem::path& file);
/// Writes tensors in the given order, atomically (temporary file, fsync, rename). `metadata`
/// becomes __metadata__.
void write_safetensors(const std::filesystem::path& file, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata = {});

/// A GGUF file's metadata and tensors; of a split one, those of all parts, whichever is given.
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
    std::size_t part = 0;  // of a split file
  };
  const std::vector<TensorInfo>& tensors() const;
  std::size_t parts() const;
  std::uint64_t file_bytes() const;  // of all parts
  /// Dequantized in fp32, kept as `to` (fp32, bf16 or fp16). Types: F32, F16, BF16, Q8_0, Q4_0,
  /// Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K. `rotary_heads`: heads whose paired rotary rows are put
  /// apart, 0 for none. Memory: the mapped bytes of the tensor are let go afterwards.
  Tensor load(const TensorInfo& info, std::int64_t rotary_heads = 0,
              at::ScalarType to = at::kFloat) const;
  /// The config from the keys of the architecture (Family::gguf) and rope_freqs.weight, and the
  /// weights under Hugging Face names in its order.
  LlamaConfig llama_config() const;
  NamedTensors llama_weights(at::ScalarType type = at::kFloat) const;
  const std::string& where() const;  // the file's name in errors

 private:
  std::string_view bytes(const TensorInfo& info) const;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A Hugging Face folder's config.json and its weights.
struct HfFolder {
  LlamaConfig config;
  NamedTensors weights;  // of one type
  Notices notices;       // where files disagree
};
/// Weights under their usual names (hf_names.hpp), each once. As in transformers an lm_head next to
/// a config that ties it counts where it differs from the embedding, which `config` then says.
/// Errors: IoError; DataError naming the file and field, or a tensor that is missing, surplus or of
/// another shape.
HfFolder read_hf_folder(const std::filesystem::path& folder, at::ScalarType type = at::kFloat);
/// The same from config.json and the headers of the weight files: tensors of the meta device, of
/// the type that is stored. No data is read.
HfFolder list_hf_folder(const std::filesystem::path& folder);
/// What the headers of the weight files say otherwise than config.json: its dtype, parts that are
/// no language model's.
Notices notices_of(const std::filesystem::path& folder, const std::vector<StoredTensor>& tensors);
/// Where a folder's weights lie: model.safetensors, or the shards of its index. Errors: IoError
/// where there is neither; DataError where only pickled weights are, or the index is not one.
std::vector<std::filesystem::path> hf_weight_files(const std::filesystem::path& folder);
/// The tensors that `wanted` takes from them, as `type`. Errors: those of read_safetensors.
NamedTensors read_hf_weights(const std::filesystem::path& folder, at::ScalarType type,
                             const WantedTensors& wanted);

/// The ids that begin a text and end an answer.
struct EndIds {
  std::optional<std::int32_t> bos;
  std::vector<std::int32_t> eos;
};
/// config.json with those ids; what is not there is not written.
std::string config_json(const LlamaConfig& config, const EndIds& ends);
/// Writes config.json, generation_config.json and model.safetensors that transformers loads.
void write_hf_folder(const std::filesystem::path& folder, const LlamaConfig& config,
                     const NamedTensors& weights, const EndIds& ends);

}  // namespace seawall
