#pragma once
// Sizes and constants of a Llama-family decoder.
#include <cstdint>
#include <string>
#include <vector>

namespace seawall {

struct LlamaConfig {
  std::int64_t vocab_size = 0, hidden_size = 0, intermediate_size = 0;  // V, C, MLP width
  std::int64_t layers = 0, heads = 0, kv_heads = 0, head_dim = 0;       // L, H, KV heads, D
  std::int64_t max_position_embeddings = 0;
  double rope_theta = 10000.0, rms_norm_eps = 1e-5;
  bool tie_word_embeddings = false;

  /// Errors: DataError naming the field that cannot be.
  void check() const;
  std::int64_t parameter_count() const;
  /// Hugging Face names with their shapes in a fixed order: embed_tokens, layers 0..L-1, norm,
  /// lm_head (absent when tied).
  std::vector<std::pair<std::string, std::vector<std::int64_t>>> parameter_shapes() const;
  /// Reads Hugging Face's config.json text (model_type llama; attention_bias, rope_scaling and so
  /// on must be off). `where` names the file in errors. Errors: DataError naming a missing, wrong
  /// or unsupported field.
  static LlamaConfig from_json(const std::string& text, const std::string& where);
  std::string to_json() const;  // what transformers' LlamaConfig reads
};

}  // namespace seawall
