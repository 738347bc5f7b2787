#pragma once
// Weight files built byte by byte, so that any rule can be broken.
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>

#include <cstring>
#include <string>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/model/files.hpp"
#include "tests/support/files.hpp"

namespace seawall::testing {

template <class T>
std::string raw(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

/// A safetensors file of a header and data.
inline std::string safetensors(const std::string& header, const std::string& data) {
  return raw<std::uint64_t>(header.size()) + header + data;
}

/// Writes the GGUF format field by field.
class GgufBuilder {
 public:
  static std::string text(const std::string& value) {
    return raw<std::uint64_t>(value.size()) + value;
  }
  GgufBuilder& pair(const std::string& key, std::uint32_t type, const std::string& value) {
    pairs_ += text(key) + raw(type) + value;
    ++pair_count;
    return *this;
  }
  GgufBuilder& u32(const std::string& key, std::uint32_t v) { return pair(key, 4, raw(v)); }
  GgufBuilder& f32(const std::string& key, float v) { return pair(key, 6, raw(v)); }
  GgufBuilder& str(const std::string& key, const std::string& v) { return pair(key, 8, text(v)); }
  /// `shape` is in the file's order, fastest first. The data follow one another, aligned to 32.
  GgufBuilder& tensor(const std::string& name, const std::vector<std::uint64_t>& shape,
                      std::uint32_t type, const std::string& data) {
    infos_ += text(name) + raw(static_cast<std::uint32_t>(shape.size()));
    for (const auto size : shape) infos_ += raw(size);
    infos_ += raw(type) + raw<std::uint64_t>(data_.size() + offset_error);
    data_ += data;
    data_.resize((data_.size() + 31) / 32 * 32);
    ++tensor_count;
    return *this;
  }
  std::string build() const {
    auto file = "GGUF" + raw(version) + raw(tensor_count) + raw(pair_count) + pairs_ + infos_;
    file.resize((file.size() + 31) / 32 * 32);
    return file + data_;
  }

  std::uint32_t version = 3;
  std::uint64_t tensor_count = 0, pair_count = 0;
  std::uint64_t offset_error = 0;

 private:
  std::string pairs_, infos_, data_;
};

/// A Llama small enough to write by hand: V 6, C 4, M 8, one layer, 2 heads of 2, 1 KV head.
inline LlamaConfig tiny_config(bool tied = true) {
  LlamaConfig config;
  config.vocab_size = 6;
  config.hidden_size = 4;
  config.intermediate_size = 8;
  config.layers = 1;
  config.heads = 2;
  config.kv_heads = 1;
  config.head_dim = 2;
  config.max_position_embeddings = 32;
  config.tie_word_embeddings = tied;
  return config;
}

inline NamedTensors tiny_weights(const LlamaConfig& config) {
  NamedTensors weights;
  double start = 0;
  for (const auto& [name, shape] : config.parameter_shapes()) {
    std::int64_t size = 1;
    for (const auto each : shape) size *= each;
    const auto values = at::arange(start, start + static_cast<double>(size), at::kFloat);
    weights.push_back({name, values.mul(0.25).reshape(shape)});
    start += static_cast<double>(size);
  }
  return weights;
}

}  // namespace seawall::testing
