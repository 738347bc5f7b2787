#pragma once
// Sizes and constants of a decoder; what its family adds is in families.hpp.
#include <cstdint>
#include <string>
#include <vector>

#include "seawall/model/families.hpp"

namespace seawall {

/// How a model trained on short rows is stretched to long ones.
struct RopeScaling {
  enum class Type { none, linear, llama3 } type = Type::none;
  double factor = 1;  // linear divides every frequency by it, llama3 the slow ones
  double low_freq_factor = 1, high_freq_factor = 4;
  std::int64_t original_max_position_embeddings = 8192;
};

struct LlamaConfig {
  std::int64_t vocab_size = 0, hidden_size = 0, intermediate_size = 0;  // V, C, MLP width
  std::int64_t layers = 0, heads = 0, kv_heads = 0, head_dim = 0;       // L, H, KV heads, D
  std::int64_t max_position_embeddings = 0;
  double rope_theta = 10000.0, rms_norm_eps = 1e-5;
  bool tie_word_embeddings = false;
  const Family* family = default_families().front();  // never null
  std::int64_t sliding_window = 0;  // tokens a query sees, its own among them; 0: all before it
  RopeScaling rope_scaling = {};
  std::int64_t query_scalar = 0;            // scores are q k / sqrt(this); 0: head_dim
  double attention_cap = 0, logit_cap = 0;  // x becomes cap tanh(x / cap); 0: as it is

  /// The window of one block.
  std::int64_t window_of(std::int64_t layer) const {
    return family->window == Window::alternate && layer % 2 == 1 ? 0 : sliding_window;
  }

  /// Errors: DataError naming the field that cannot be.
  void check() const;
  std::int64_t parameter_count() const;
  /// Shape of a part of a block, whether or not the family has it.
  std::vector<std::int64_t> part_shape(Part part) const;
  /// Hugging Face names with their shapes in a fixed order: embed_tokens, layers 0..L-1 (each in
  /// the order of Family::block), norm, lm_head (absent when tied).
  std::vector<std::pair<std::string, std::vector<std::int64_t>>> parameter_shapes() const;
  /// Reads Hugging Face's config.json text, with rotary settings at the top (transformers 4) or
  /// under rope_parameters (5). `where` names the file in errors. Errors: DataError naming a
  /// missing, wrong or unsupported field.
  static LlamaConfig from_json(const std::string& text, const std::string& where);
  std::string to_json() const;  // what transformers reads as the same family
};

/// Angle per position of each pair of a head's values, scaled as the config says, computed in
/// `Real`. Shapes: -> [D/2].
template <class Real>
std::vector<Real> rotary_frequencies(const LlamaConfig& config);

}  // namespace seawall
