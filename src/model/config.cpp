#include "seawall/model/config.hpp"

#include <cmath>
#include <numbers>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

constexpr std::int64_t max_layers_or_heads = 1024;
constexpr std::int64_t max_vocabulary = std::int64_t{1} << 21;

void require_range(const char* field, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value >= low && value <= high) return;
  throw DataError("model config: " + std::string(field) + " is " + std::to_string(value) +
                  ", want " + std::to_string(low) + " to " + std::to_string(high));
}

void require_positive(const char* field, double value, double high) {
  if (std::isfinite(value) && value > 0 && value <= high) return;
  throw DataError("model config: " + std::string(field) + " is " + std::to_string(value) +
                  ", want a number above 0 and at most " + std::to_string(high));
}

}  // namespace

void LlamaConfig::check() const {
  require_range("vocab_size", vocab_size, 1, max_vocabulary);
  require_range("hidden_size", hidden_size, 1, std::int64_t{1} << 17);
  require_range("intermediate_size", intermediate_size, 1, std::int64_t{1} << 20);
  require_range("num_hidden_layers", layers, 1, max_layers_or_heads);
  require_range("num_attention_heads", heads, 1, max_layers_or_heads);
  require_range("num_key_value_heads", kv_heads, 1, max_layers_or_heads);
  require_range("head_dim", head_dim, 2, std::int64_t{1} << 14);
  require_range("max_position_embeddings", max_position_embeddings, 1, std::int64_t{1} << 26);
  if (heads % kv_heads != 0) {
    throw DataError("model config: num_attention_heads " + std::to_string(heads) +
                    " is not a multiple of num_key_value_heads " + std::to_string(kv_heads));
  }
  if (head_dim % 2 != 0) {
    throw DataError("model config: head_dim is " + std::to_string(head_dim) +
                    ", want an even number for rotary embeddings");
  }
  require_positive("rope_theta", rope_theta, 1e15);
  require_positive("rms_norm_eps", rms_norm_eps, 1.0);
  if (sliding_window != 0) {
    require_range("sliding_window", sliding_window, 1, std::int64_t{1} << 26);
    if (family->window == Window::none)
      throw DataError("model config: sliding_window is set; family " + std::string(family->type) +
                      " has none");
  }
  if (query_scalar != 0)
    require_range("query_pre_attn_scalar", query_scalar, 1, std::int64_t{1} << 20);
  for (const auto& [field, value] : {std::pair{"attn_logit_softcapping", attention_cap},
                                     std::pair{"final_logit_softcapping", logit_cap}})
    if (value != 0) require_positive(field, value, 1e6);
  if (rope_scaling.type == RopeScaling::Type::none) return;
  require_positive("rope_scaling.factor", rope_scaling.factor, 1e6);
  if (rope_scaling.type != RopeScaling::Type::llama3) return;
  require_positive("rope_scaling.low_freq_factor", rope_scaling.low_freq_factor, 1e6);
  require_positive("rope_scaling.high_freq_factor", rope_scaling.high_freq_factor, 1e6);
  require_range("rope_scaling.original_max_position_embeddings",
                rope_scaling.original_max_position_embeddings, 1, std::int64_t{1} << 26);
  if (rope_scaling.high_freq_factor <= rope_scaling.low_freq_factor)
    throw DataError("model config: rope_scaling.high_freq_factor is not above low_freq_factor");
}

std::vector<std::int64_t> LlamaConfig::part_shape(Part part) const {
  const auto C = hidden_size, M = intermediate_size;
  const auto Q = heads * head_dim, K = kv_heads * head_dim;
  switch (part) {
    case Part::norm1:
    case Part::norm2:
    case Part::attention_norm:
    case Part::mlp_norm:
      return {C};
    case Part::q:
      return {Q, C};
    case Part::k:
    case Part::v:
      return {K, C};
    case Part::qkv:
      return {Q + 2 * K, C};
    case Part::o:
      return {C, Q};
    case Part::gate:
    case Part::up:
      return {M, C};
    case Part::gate_up:
      return {2 * M, C};
    case Part::down:
      return {C, M};
    case Part::q_bias:
      return {Q};
    case Part::k_bias:
    case Part::v_bias:
      return {K};
    case Part::q_norm:
    case Part::k_norm:
      return {head_dim};
  }
  return {};
}

std::vector<std::pair<std::string, std::vector<std::int64_t>>> LlamaConfig::parameter_shapes()
    const {
  std::vector<std::pair<std::string, std::vector<std::int64_t>>> shapes;
  shapes.emplace_back("model.embed_tokens.weight", std::vector{vocab_size, hidden_size});
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    const auto prefix = "model.layers." + std::to_string(layer) + ".";
    for (const auto& tensor : family->block)
      shapes.emplace_back(prefix + std::string(tensor.name), part_shape(tensor.part));
  }
  shapes.emplace_back("model.norm.weight", std::vector{hidden_size});
  if (!tie_word_embeddings)
    shapes.emplace_back("lm_head.weight", std::vector{vocab_size, hidden_size});
  return shapes;
}

std::int64_t LlamaConfig::parameter_count() const {
  std::int64_t count = 0;  // check() bounds every size, so that no product here can overflow
  for (const auto& [name, shape] : parameter_shapes()) {
    std::int64_t product = 1;
    for (const auto size : shape) product *= size;
    count += product;
  }
  return count;
}

/// Source: Llama 3.1's reference code and transformers' modeling_rope_utils.py, "llama3": waves
/// longer than original/low are stretched by `factor`, those shorter than original/high are not,
/// and between the two the share changes linearly.
template <class Real>
static Real scaled(const RopeScaling& scaling, Real frequency) {
  const auto factor = static_cast<Real>(scaling.factor);
  if (scaling.type == RopeScaling::Type::none) return frequency;
  if (scaling.type == RopeScaling::Type::linear) return frequency / factor;
  const auto low = static_cast<Real>(scaling.low_freq_factor),
             high = static_cast<Real>(scaling.high_freq_factor),
             original = static_cast<Real>(scaling.original_max_position_embeddings);
  const Real wave = 2 * std::numbers::pi_v<Real> / frequency;
  if (wave < original / high) return frequency;
  if (wave > original / low) return frequency / factor;
  const Real kept = (original / wave - low) / (high - low);
  return (1 - kept) * frequency / factor + kept * frequency;
}

template <class Real>
std::vector<Real> rotary_frequencies(const LlamaConfig& config) {
  std::vector<Real> out;
  for (std::int64_t i = 0; i < config.head_dim / 2; ++i)
    out.push_back(
        scaled(config.rope_scaling, 1 / std::pow(static_cast<Real>(config.rope_theta),
                                                 static_cast<Real>(2 * i) / config.head_dim)));
  return out;
}
template std::vector<float> rotary_frequencies(const LlamaConfig&);
template std::vector<double> rotary_frequencies(const LlamaConfig&);

}  // namespace seawall
