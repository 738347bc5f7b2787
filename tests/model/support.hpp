#pragma once
// Small decoders and the plain padded reference that the model tests compare with.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "seawall/model/decoder.hpp"
#include "seawall/model/runtime.hpp"
#include "tests/support/tensors.hpp"

namespace seawall::testing {

/// Runs a scope on the composite path.
struct Composite {
  Composite() { set_compute_path(ComputePath::composite); }
  ~Composite() { set_compute_path(ComputePath::fused); }
};

inline LlamaConfig small_config(std::int64_t heads = 4, std::int64_t kv_heads = 2,
                                bool tied = true) {
  LlamaConfig c;
  c.vocab_size = 61;
  c.hidden_size = 24;
  c.intermediate_size = 40;
  c.layers = 3;
  c.heads = heads;
  c.kv_heads = kv_heads;
  c.head_dim = 6;
  c.max_position_embeddings = 512;
  c.rms_norm_eps = 1e-5;
  c.tie_word_embeddings = tied;
  return c;
}

/// A config of each kind that is not plain Llama.
inline std::vector<LlamaConfig> family_configs() {
  std::vector<LlamaConfig> out(7, small_config(4, 2, false));
  out[0].family = &family_of("mistral");
  out[0].sliding_window = 7;
  out[1].family = &family_of("qwen2");
  out[2].family = &family_of("gemma");
  out[3].rope_scaling = {.type = RopeScaling::Type::linear, .factor = 4};
  out[4].family = &family_of("qwen3");
  out[4].head_dim = 10;
  out[5].family = &family_of("phi3");
  out[5].sliding_window = 9;
  out[6].family = &family_of("gemma2");
  out[6].sliding_window = 7;
  out[6].query_scalar = 9;
  out[6].attention_cap = 1.5;
  out[6].logit_cap = 3;
  return out;
}

/// Weights large enough that every path matters; norms away from 1.
inline NamedTensors lively_weights(const LlamaConfig& config, at::ScalarType type,
                                   std::uint64_t seed = 1) {
  auto weights = random_weights(config, seed);
  for (auto& w : weights) {
    w.tensor = w.tensor.to(type);
    if (w.tensor.dim() == 2)
      w.tensor.mul_(8);
    else
      w.tensor.add_(at::linspace(-0.3, 0.4, w.tensor.numel(), w.tensor.options()));
  }
  return weights;
}

inline Decoder small_decoder(const LlamaConfig& config, at::ScalarType type = at::kDouble) {
  at::set_num_threads(1);  // threads that wait by spinning make small tests slow on a busy machine
  return {config, lively_weights(config, type)};
}

/// A row of random ids after `prefix`, with the last `targets` tokens as targets.
inline Sequence random_row(std::mt19937& random, std::vector<std::int32_t> prefix, int more,
                           int vocab = 61) {
  std::uniform_int_distribution<std::int32_t> id(0, vocab - 1);
  for (int i = 0; i < more; ++i) prefix.push_back(id(random));
  Sequence row{prefix, std::vector<std::uint8_t>(prefix.size(), 0)};
  std::bernoulli_distribution target(0.6);
  for (std::size_t t = 1; t < prefix.size(); ++t) row.loss[t] = target(random);
  if (prefix.size() > 1) row.loss.back() = 1;
  return row;
}

/// A block's tensors by their task; rows of fused ones apart.
class ReferenceBlock {
 public:
  ReferenceBlock(const Decoder& decoder, std::int64_t layer) {
    const auto& c = decoder.config();
    const auto first = 1 + layer * static_cast<std::int64_t>(c.family->block.size());
    for (std::size_t i = 0; i < c.family->block.size(); ++i)
      parts_[c.family->block[i].part] =
          decoder.parameters()[static_cast<std::size_t>(first) + i].tensor;
    const auto q = c.heads * c.head_dim, k = c.kv_heads * c.head_dim, m = c.intermediate_size;
    if (has(Part::qkv)) {
      parts_[Part::q] = at(Part::qkv).slice(0, 0, q);
      parts_[Part::k] = at(Part::qkv).slice(0, q, q + k);
      parts_[Part::v] = at(Part::qkv).slice(0, q + k);
    }
    if (!has(Part::gate_up)) return;
    parts_[Part::gate] = at(Part::gate_up).slice(0, 0, m);
    parts_[Part::up] = at(Part::gate_up).slice(0, m);
  }
  bool has(Part part) const { return parts_.contains(part); }
  const Tensor& at(Part part) const { return parts_.at(part); }

 private:
  std::map<Part, Tensor> parts_;
};

/// What was at each place of a forward pass, by kind and block.
using PlaceTensors = std::map<std::pair<TapPoint::Kind, std::int64_t>, Tensor>;

/// Hidden states of one row alone, written out in the plainest way; `places`, if given, takes what
/// was at the places inside the blocks. Shapes: -> [T,C].
inline Tensor reference_hidden(const Decoder& decoder, const std::vector<std::int32_t>& ids,
                               PlaceTensors* places = nullptr) {
  using Kind = TapPoint::Kind;
  const auto& c = decoder.config();
  const auto type = decoder.dtype();
  const auto t = static_cast<std::int64_t>(ids.size());
  auto norm = [&](const Tensor& x, const Tensor& weight) {
    const Tensor factor = c.family->norm_offset > 0 ? weight + 1 : weight;
    return x / at::sqrt(x.pow(2).mean(-1, true) + c.rms_norm_eps) * factor;
  };
  auto rope = [&](const Tensor& x) {  // [heads,T,D]
    Tensor out = at::empty_like(x);
    const auto half = c.head_dim / 2;
    std::vector<Tensor> parts;
    Tensor frequency =
        at::pow(c.rope_theta, -at::arange(0, half, at::TensorOptions(type)) * 2 / c.head_dim);
    if (c.rope_scaling.type == RopeScaling::Type::linear) frequency /= c.rope_scaling.factor;
    const Tensor angle =
        at::arange(0, t, at::TensorOptions(type)).unsqueeze(1) * frequency;  // [T,D/2]
    const Tensor a = x.slice(2, 0, half), b = x.slice(2, half);
    return at::cat({a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()}, 2);
  };
  std::vector<std::int64_t> wide(ids.begin(), ids.end());
  Tensor x = decoder.embedding().index_select(0, at::tensor(wide, at::kLong));
  if (c.family->scaled_embedding) x = x * std::sqrt(static_cast<double>(c.hidden_size));
  for (std::int64_t l = 0; l < c.layers; ++l) {
    const auto keep = [&](Kind kind, const Tensor& y) {
      if (places) (*places)[{kind, l}] = y;
      return y;
    };
    const ReferenceBlock w(decoder, l);
    const auto normed = [&](std::optional<Part> part, const Tensor& y) {
      return part && w.has(*part) ? norm(y, w.at(*part)) : y;
    };
    const Tensor n1 = keep(Kind::qkv_in, norm(x, w.at(Part::norm1)));
    auto heads = [&](Part part, Part bias, std::optional<Part> head_norm, std::int64_t count) {
      Tensor out = at::matmul(n1, w.at(part).t());
      if (w.has(bias)) out = out + w.at(bias);
      return normed(head_norm, out.view({t, count, c.head_dim})).transpose(0, 1);
    };
    const auto group = c.heads / c.kv_heads;
    const Tensor q = rope(heads(Part::q, Part::q_bias, Part::q_norm, c.heads));
    const Tensor k =
        rope(heads(Part::k, Part::k_bias, Part::k_norm, c.kv_heads)).repeat_interleave(group, 0);
    const Tensor v =
        heads(Part::v, Part::v_bias, std::nullopt, c.kv_heads).repeat_interleave(group, 0);
    Tensor mask = at::ones({t, t}, at::kBool).triu(1);
    const bool full = c.family->window == Window::alternate && l % 2 == 1;
    if (c.sliding_window > 0 && !full)
      mask = mask | at::ones({t, t}, at::kBool).tril(-c.sliding_window);
    const auto scalar = static_cast<double>(c.query_scalar > 0 ? c.query_scalar : c.head_dim);
    Tensor scores = at::matmul(q, k.transpose(1, 2)) / std::sqrt(scalar);
    if (c.attention_cap > 0) scores = at::tanh(scores / c.attention_cap) * c.attention_cap;
    scores = scores.masked_fill(mask, -INFINITY);
    keep(Kind::sink, scores.softmax(-1).select(2, 0).t());      // [T,H]
    keep(Kind::attention, scores.softmax(-1).transpose(0, 1));  // [T,H,T]
    const Tensor mixed =
        keep(Kind::o_in,
             at::matmul(scores.softmax(-1), v).transpose(0, 1).reshape({t, c.heads * c.head_dim}));
    x = x +
        normed(Part::attention_norm, keep(Kind::attn_out, at::matmul(mixed, w.at(Part::o).t())));
    const Tensor n2 = keep(Kind::gate_up_in, norm(x, w.at(Part::norm2)));
    const Tensor gate = at::matmul(n2, w.at(Part::gate).t());
    const Tensor cubic = gate + 0.044715 * gate.pow(3);
    const Tensor opened = c.family->gate == Gate::gelu_tanh
                              ? gate / 2 * (1 + at::tanh(std::sqrt(2 / M_PI) * cubic))
                              : gate * gate.sigmoid();
    const Tensor inner = keep(Kind::down_in, opened * at::matmul(n2, w.at(Part::up).t()));
    x = x + normed(Part::mlp_norm, keep(Kind::mlp_out, at::matmul(inner, w.at(Part::down).t())));
  }
  return x;
}

/// Losses of all targets of all rows, each row alone, in the order of BatchPlan::targets. Shapes:
/// -> [N].
inline Tensor reference_losses(const Decoder& decoder, const std::vector<Sequence>& rows) {
  std::vector<Tensor> losses;
  for (const auto& row : rows) {
    const Tensor logits = decoder.logits(reference_hidden(decoder, row.ids)).log_softmax(-1);
    for (std::size_t t = 1; t < row.ids.size(); ++t)
      if (!row.loss.empty() && row.loss[t])
        losses.push_back(-logits[static_cast<std::int64_t>(t) - 1][row.ids[t]]);
  }
  return at::stack(losses);
}

// fp64: differences are sums of a few hundred products of magnitude 1, in another order.
inline constexpr double double_tolerance = 1e-10;

/// Gradients of all parameters of `loss`, in order.
inline std::vector<Tensor> gradients(Decoder& decoder, const std::function<Tensor()>& loss) {
  for (const auto& p : decoder.parameters()) p.tensor.mutable_grad() = Tensor();
  decoder.set_requires_grad(true);
  loss().backward();
  std::vector<Tensor> out;
  for (const auto& p : decoder.parameters()) out.push_back(p.tensor.grad());
  return out;
}

}  // namespace seawall::testing
