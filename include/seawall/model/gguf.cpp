#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <unordered_map>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/text.hpp"
#include "seawall/model/files.hpp"
#include "seawall/model/gguf_parse.hpp"
#include "seawall/model/gguf_types.hpp"

namespace seawall {

struct GgufFile::Impl {
  std::string where;
  MappedFile file;
  GgufContents contents;

  explicit Impl(const std::filesystem::path& path)
      : where(path.string()), file(path), contents(parse_gguf(file.bytes(), where)) {}

  const Value& value(const std::string& key) const {
    const auto found = contents.metadata.find(key);
    if (found != contents.metadata.end()) return found->second;
    throw DataError(where + ": metadata key '" + key + "' is missing");
  }
  [[noreturn]] void wrong(const std::string& key, const char* wanted) const {
    throw DataError(where + ": metadata key '" + key + "': want " + wanted);
  }
  template <class T>
  const T& as(const std::string& key, const char* wanted) const {
    const auto* found = std::get_if<T>(&value(key));
    if (found == nullptr) wrong(key, wanted);
    return *found;
  }
};

GgufFile::GgufFile(const std::filesystem::path& file) : impl_(std::make_unique<Impl>(file)) {}
GgufFile::~GgufFile() = default;
GgufFile::GgufFile(GgufFile&&) noexcept = default;

bool GgufFile::has(const std::string& key) const { return impl_->contents.metadata.contains(key); }

std::int64_t GgufFile::integer(const std::string& key) const {
  const auto& value = impl_->value(key);
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
  const auto* number = std::get_if<std::uint64_t>(&value);
  if (number == nullptr || *number > INT64_MAX) impl_->wrong(key, "an integer");
  return static_cast<std::int64_t>(*number);
}

double GgufFile::number(const std::string& key) const {
  const auto* number = std::get_if<double>(&impl_->value(key));
  return number != nullptr ? *number : static_cast<double>(integer(key));
}

const std::string& GgufFile::text(const std::string& key) const {
  return impl_->as<std::string>(key, "a text");
}
const std::vector<std::string>& GgufFile::texts(const std::string& key) const {
  return impl_->as<std::vector<std::string>>(key, "an array of texts");
}
const std::vector<std::int64_t>& GgufFile::integers(const std::string& key) const {
  return impl_->as<std::vector<std::int64_t>>(key, "an array of integers");
}
const std::map<std::string, GgufFile::Value>& GgufFile::metadata() const {
  return impl_->contents.metadata;
}
const std::vector<GgufFile::TensorInfo>& GgufFile::tensors() const {
  return impl_->contents.tensors;
}

namespace {

/// Row of the file that holds row `row` of the Hugging Face layout. GGUF pairs the two halves of a
/// head's rotary rows, Hugging Face keeps them apart. `rotary_heads` is 0 for tensors without
/// rotary rows.
std::int64_t source_row(std::int64_t row, std::int64_t rows, std::int64_t rotary_heads) {
  if (rotary_heads == 0) return row;
  const auto head_dim = rows / rotary_heads, half = head_dim / 2;
  const auto head = row / head_dim, inside = row % head_dim;
  return head * head_dim + 2 * (inside % half) + inside / half;
}

Tensor dequantize(const GgufFile::TensorInfo& info, std::string_view file, const std::string& where,
                  std::int64_t rotary_heads) {
  const auto type = gguf_type(info.type);
  if (!type || type->dequantize == nullptr) {
    throw DataError(
        where + ": tensor '" + shown(info.name) + "' has type " + info.type +
        ", want F32, F16, BF16, Q8_0, Q4_0 or Q4_1; requantize the model to one of them");
  }
  auto tensor = at::empty(info.shape, at::TensorOptions().dtype(at::kFloat));
  const auto columns = info.shape.back(), rows = tensor.numel() / columns;
  const auto blocks = columns / static_cast<std::int64_t>(type->block);
  const auto row_bytes = blocks * static_cast<std::int64_t>(type->bytes);
  const auto* from = file.data() + info.offset;
  auto* to = tensor.data_ptr<float>();
  const auto grain = std::max<std::int64_t>(1, (1 << 17) / columns);
  at::parallel_for(0, rows, grain, [&](std::int64_t begin, std::int64_t end) {
    if (rotary_heads == 0) {
      type->dequantize(from + begin * row_bytes, to + begin * columns, (end - begin) * blocks);
      return;
    }
    for (auto row = begin; row < end; ++row) {
      type->dequantize(from + source_row(row, rows, rotary_heads) * row_bytes, to + row * columns,
                       blocks);
    }
  });
  return tensor;
}

/// The GGUF name of a Hugging Face parameter.
std::string gguf_name(const std::string& name) {
  static const std::unordered_map<std::string, std::string> names = {
      {"model.embed_tokens.weight", "token_embd.weight"},
      {"model.norm.weight", "output_norm.weight"},
      {"lm_head.weight", "output.weight"},
      {"input_layernorm", "attn_norm"},
      {"self_attn.q_proj", "attn_q"},
      {"self_attn.k_proj", "attn_k"},
      {"self_attn.v_proj", "attn_v"},
      {"self_attn.o_proj", "attn_output"},
      {"post_attention_layernorm", "ffn_norm"},
      {"mlp.gate_proj", "ffn_gate"},
      {"mlp.up_proj", "ffn_up"},
      {"mlp.down_proj", "ffn_down"}};
  constexpr std::string_view prefix = "model.layers.", suffix = ".weight";
  if (!name.starts_with(prefix)) return names.at(name);
  const auto dot = name.find('.', prefix.size());
  const auto part = name.substr(dot + 1, name.size() - dot - 1 - suffix.size());
  return "blk." + name.substr(prefix.size(), dot - prefix.size()) + "." + names.at(part) +
         ".weight";
}

}  // namespace

Tensor GgufFile::load(const TensorInfo& info) const {
  return dequantize(info, impl_->file.bytes(), impl_->where, 0);
}

LlamaConfig GgufFile::llama_config() const {
  const auto fail = [&](const std::string& what) { throw DataError(impl_->where + ": " + what); };
  if (text("general.architecture") != "llama") {
    fail("general.architecture is '" + shown(text("general.architecture")) + "', want 'llama'");
  }
  const auto integer_or = [&](const std::string& key, std::int64_t fallback) {
    return has(key) ? integer(key) : fallback;
  };
  LlamaConfig config;
  config.hidden_size = integer("llama.embedding_length");
  config.intermediate_size = integer("llama.feed_forward_length");
  config.layers = integer("llama.block_count");
  config.heads = integer("llama.attention.head_count");
  config.kv_heads = integer_or("llama.attention.head_count_kv", config.heads);
  config.head_dim = integer_or("llama.attention.key_length",
                               config.heads > 0 ? config.hidden_size / config.heads : 0);
  config.max_position_embeddings = integer("llama.context_length");
  if (has("llama.rope.freq_base")) config.rope_theta = number("llama.rope.freq_base");
  config.rms_norm_eps = number("llama.attention.layer_norm_rms_epsilon");
  bool head = false;
  for (const auto& info : tensors()) {
    head |= info.name == "output.weight";
    if (info.name == "token_embd.weight") config.vocab_size = info.shape.front();
    if (info.name == "rope_freqs.weight")
      fail("tensor 'rope_freqs.weight': scaled rotary embeddings are not supported");
  }
  config.tie_word_embeddings = !head;
  if (has("llama.rope.scaling.type") && text("llama.rope.scaling.type") != "none") {
    fail("llama.rope.scaling.type is '" + shown(text("llama.rope.scaling.type")) + "', want none");
  }
  if (integer_or("llama.expert_count", 0) != 0)
    fail("llama.expert_count: expert models are not supported");
  for (const auto* key : {"llama.rope.dimension_count", "llama.attention.value_length"}) {
    if (integer_or(key, config.head_dim) != config.head_dim) {
      fail(std::string(key) + " is " + std::to_string(integer(key)) + ", want the head size " +
           std::to_string(config.head_dim));
    }
  }
  try {
    config.check();
  } catch (const DataError& error) {
    fail(error.what());
  }
  return config;
}

NamedTensors GgufFile::llama_weights() const {
  const auto config = llama_config();
  std::unordered_map<std::string, const TensorInfo*> by_name;
  for (const auto& info : tensors()) by_name.emplace(info.name, &info);
  NamedTensors weights;
  for (const auto& [name, shape] : config.parameter_shapes()) {
    const auto found = by_name.find(gguf_name(name));
    if (found == by_name.end()) {
      throw DataError(impl_->where + ": tensor '" + gguf_name(name) + "' is missing");
    }
    const auto& info = *found->second;
    if (info.shape != shape) {
      throw DataError(impl_->where + ": tensor '" + info.name + "' at byte " +
                      std::to_string(info.offset) +
                      ": its shape is not the one that the metadata give");
    }
    const auto rotary_heads = name.ends_with("q_proj.weight")   ? config.heads
                              : name.ends_with("k_proj.weight") ? config.kv_heads
                                                                : 0;
    weights.push_back({name, dequantize(info, impl_->file.bytes(), impl_->where, rotary_heads)});
    by_name.erase(found);
  }
  if (!by_name.empty()) {
    throw DataError(impl_->where + ": tensor '" + shown(by_name.begin()->first) +
                    "' is not part of a plain Llama model");
  }
  return weights;
}

}  // namespace seawall
