#pragma once
// Sizes and constants of a decoder of the Llama family: Llama 2 and 3, SmolLM2, Mistral, Qwen2 and
// Gemma differ in the few fields below.
#include <cstdint>
#include <string>
#include <vector>

namespace seawall {

/// What config.json calls model_type. Mistral may look back through a window only; Qwen2 has biases
/// on q, k and v; Gemma scales the embedding by sqrt(C), norms with 1 + w and gates with GELU.
enum class Family { llama, mistral, qwen2, gemma };

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
  Family family = Family::llama;
  std::int64_t sliding_window = 0;  // tokens a query sees, its own among them; 0: all before it
  RopeScaling rope_scaling = {};

  bool qkv_bias() const { return family == Family::qwen2; }
  bool gemma() const { return family == Family::gemma; }

  /// Errors: DataError naming the field that cannot be.
  void check() const;
  std::int64_t parameter_count() const;
  /// Hugging Face names with their shapes in a fixed order: embed_tokens, layers 0..L-1 (the
  /// biases of q, k and v last), norm, lm_head (absent when tied).
  std::vector<std::pair<std::string, std::vector<std::int64_t>>> parameter_shapes() const;
  /// Reads Hugging Face's config.json text, with rotary settings at the top (transformers 4) or
  /// under rope_parameters (5). `where` names the file in errors. Errors: DataError naming a
  /// missing, wrong or unsupported field.
  static LlamaConfig from_json(const std::string& text, const std::string& where);
  std::string to_json() const;  // what transformers reads as the same family
};

/// As config.json writes it.
std::string family_name(Family family);

/// Angle per position of each pair of a head's values, scaled as the config says, computed in
/// `Real`. Shapes: -> [D/2].
template <class Real>
std::vector<Real> rotary_frequencies(const LlamaConfig& config);

}  // namespace seawall
