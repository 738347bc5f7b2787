// The decoder's blocks as plain differentiable operators, for every device and type.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/tensor.h>

#include <array>
#include <mutex>
#include <optional>

#include "model/attention.hpp"
#include "model/block_weights.hpp"
#include "model/blocks.hpp"
#include "model/loss.hpp"
#include "seawall/device/operators.hpp"

namespace seawall {

static bool narrow(const Tensor& x) {
  return x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kHalf;
}

Tensor norm_factor(const LlamaConfig& config, const Tensor& w) {
  if (config.family->norm_offset == 0) return w;
  return (narrow(w) ? w.to(at::kFloat) : w) + config.family->norm_offset;
}

Tensor composite_rms_norm(const Tensor& x, const Tensor& w, double eps) {
  if (device::takes(x)) return device::rms_norm(x, w, eps);
  const Tensor wide = narrow(x) ? x.to(at::kFloat) : x;
  const Tensor normed = wide * (wide.pow(2).mean(-1, true) + eps).rsqrt();
  if (w.scalar_type() != x.scalar_type()) return (w * normed).to(x.scalar_type());  // offset norms
  return w * normed.to(x.scalar_type());
}

/// Frequencies that no operator makes, kept on the device where they were asked for before: a copy
/// from the host would hold up every token.
static Tensor scaled_frequency(const LlamaConfig& c, const at::TensorOptions& options) {
  struct Known {
    std::vector<double> values;
    Tensor tensor;
  };
  static std::mutex mutex;
  static auto& known = *new std::vector<Known>;  // outlives the device's own end
  const auto values = rotary_frequencies<double>(c);
  if (options.device().is_cpu()) return at::tensor(values, at::kDouble).to(options);
  const std::lock_guard lock(mutex);
  for (const auto& one : known)
    if (one.values == values && one.tensor.device() == options.device() &&
        one.tensor.dtype() == options.dtype())
      return one.tensor;
  return known.emplace_back(Known{values, at::tensor(values, at::kDouble).to(options)}).tensor;
}

Angles rotary_angles(const LlamaConfig& c, const Tensor& positions, const Tensor& like) {
  const auto wide = like.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto options = like.options().dtype(wide);
  const Tensor plain =
      at::pow(c.rope_theta, at::arange(0, c.head_dim, 2, options) / c.head_dim).reciprocal();
  const Tensor frequency = c.rope_scaling.type == RopeScaling::Type::none
                               ? plain
                               : scaled_frequency(c, options);       // [D/2]
  const Tensor angle = positions.to(wide).unsqueeze(1) * frequency;  // [T,D/2]
  const Tensor both = at::cat({angle, angle}, 1).unsqueeze(1);       // [T,1,D]
  return {both.cos().to(like.scalar_type()), both.sin().to(like.scalar_type())};
}

static Tensor rotated(const Tensor& x, const Angles& angles) {  // [T,heads,D]
  if (device::takes(x)) return device::rotary(x, angles.cos, angles.sin);
  const auto half = x.size(2) / 2;
  return x * angles.cos + at::cat({-x.narrow(2, half, half), x.narrow(2, 0, half)}, 2) * angles.sin;
}

/// x w^T, and what an adapter adds. Shapes: x [T,in], w [out,in] -> [T,out].
static Tensor project(const BlockExtras& extras, Projection p, const Tensor& x, const Tensor& w,
                      const std::optional<Tensor>& bias = {}) {
  Tensor y = bias ? at::linear(x, w, bias) : head_logits(x, w);
  if (!extras.adapter) return y;
  const auto& f = extras.adapter->at(extras.layer, p);
  if (!f.on()) return y;
  const auto& a = *extras.adapter;
  const Tensor input =
      a.drops()
          ? x * dropout_mask(Dropout{a.dropout_key, a.options.dropout}.of(extras.layer, p), {}, x)
          : x;
  return y + head_logits(head_logits(input, f.a.to(x.scalar_type())), f.b.to(x.scalar_type())) *
                 f.scale;
}

namespace {

/// One block's tensors by their task, and what is computed with them.
struct Block {
  const LlamaConfig& config;
  at::TensorList weights;
  const BlockExtras& extras;

  std::optional<Tensor> find(Part part) const {
    const auto* found = config.family->find(part);
    if (!found) return std::nullopt;
    return weights[static_cast<std::size_t>(found - config.family->block.data())];
  }
  /// What flows on here.
  Tensor seen(TapPoint::Kind kind, const Tensor& x) const {
    if (!extras.inside || !extras.inside->kinds.has(kind)) return x;
    return extras.inside->pass({kind, extras.layer}, x);
  }
  /// RMSNorm if the family has it, else `x`.
  Tensor normed(Part part, const Tensor& x) const {
    const auto w = find(part);
    return w ? composite_rms_norm(x, norm_factor(config, *w), config.rms_norm_eps) : x;
  }
  Tensor product(Part part, Projection p, const Tensor& x, Part bias = Part::norm1) const {
    return project(extras, p, x, *find(part), bias == Part::norm1 ? std::nullopt : find(bias));
  }
  /// q, k and v before norms and rotation. Shapes: x [T,C] -> [T,heads,D] each.
  std::array<Tensor, 3> heads(const Tensor& x) const {
    const auto d = config.head_dim, h = config.heads, kv = config.kv_heads, t = x.size(0);
    if (find(Part::qkv)) {
      const Tensor all = product(Part::qkv, Projection::qkv, x);  // [T,(H+2KV)*D]
      const auto part = [&](std::int64_t first, std::int64_t count) {
        return all.narrow(1, first * d, count * d).view({t, count, d});
      };
      return {part(0, h), part(h, kv), part(h + kv, kv)};
    }
    return {product(Part::q, Projection::q, x, Part::q_bias).view({t, h, d}),
            product(Part::k, Projection::k, x, Part::k_bias).view({t, kv, d}),
            product(Part::v, Projection::v, x, Part::v_bias).view({t, kv, d})};
  }
  /// f(gate) * up. Shapes: x [T,C] -> [T,I].
  Tensor inner(const Tensor& x) const {
    const bool gelu = config.family->gate == Gate::gelu_tanh;
    const auto gated = [&](const Tensor& gate, const Tensor& up) {
      if (device::takes(gate)) return device::gated(gate, up, gelu);
      return (gelu ? at::gelu(gate, "tanh") : at::silu(gate)) * up;
    };
    if (find(Part::gate_up)) {
      const Tensor both = product(Part::gate_up, Projection::gate_up, x);  // [T,2I]
      const auto n = config.intermediate_size;
      return gated(both.narrow(1, 0, n), both.narrow(1, n, n));
    }
    const Tensor gate = product(Part::gate, Projection::gate, x);
    return gated(gate, product(Part::up, Projection::up, x));
  }
};

}  // namespace

Tensor composite_block(
    const LlamaConfig& c, const Tensor& x, at::TensorList w, const Angles& angles,
    const std::function<Tensor(const Tensor&, const Tensor&, const Tensor&)>& attend,
    const BlockExtras& extras) {
  using Kind = TapPoint::Kind;
  const Block block{c, w, extras};
  const auto [q, k, v] = block.heads(block.seen(Kind::qkv_in, block.normed(Part::norm1, x)));
  Tensor attended = attend(rotated(block.normed(Part::q_norm, q), angles),
                           rotated(block.normed(Part::k_norm, k), angles), v);  // [T,H*D]
  Tensor stream = x;
  if (extras.rows.defined()) {  // from here on T is S
    attended = attended.index_select(0, extras.rows);
    stream = x.index_select(0, extras.rows);
  }
  const Tensor mixed = block.seen(Kind::o_in, attended);
  const Tensor attention =
      block.seen(Kind::attn_out, block.product(Part::o, Projection::o, mixed));  // [T,C]
  const Tensor middle = stream + block.normed(Part::attention_norm, attention);
  const Tensor inner = block.seen(
      Kind::down_in,
      block.inner(block.seen(Kind::gate_up_in, block.normed(Part::norm2, middle))));  // [T,I]
  const Tensor mlp = block.seen(Kind::mlp_out, block.product(Part::down, Projection::down, inner));
  return middle + block.normed(Part::mlp_norm, mlp);
}

Tensor composite_blocks(const BlocksCall& call, const Tensor& input, at::TensorList weights) {
  using Kind = TapPoint::Kind;
  const auto each = layer_tensors(call.config);
  const auto layers = static_cast<std::int64_t>(weights.size()) / each;
  const auto angles = rotary_angles(call.config, call.plan.positions, input);
  Tensor x = input;
  // On a CPU the last block takes every token, as before: products of fewer rows round otherwise.
  const bool narrow = call.rows.defined() && !x.is_cpu();
  for (std::int64_t l = 0; l < layers; ++l) {
    const auto layer = call.first_layer + l;
    const auto shape = attention_shape(call.config, layer);
    x = composite_block(
        call.config, x, weights.slice(l * each, each), angles,
        [&](const Tensor& q, const Tensor& k, const Tensor& v) {
          if (call.inside.kinds.has(Kind::sink))
            call.inside.pass({Kind::sink, layer}, attention_sink(q, k, call.plan, shape));
          if (call.inside.kinds.has(Kind::attention))
            call.inside.pass({Kind::attention, layer}, attention_groups(q, k, call.plan, shape));
          return tree_attention(q, k, v, call.plan, shape);
        },
        {call.adapter, layer, &call.inside, narrow && l + 1 == layers ? call.rows : Tensor()});
    if (call.after) call.after(layer, x);
  }
  return call.rows.defined() && !narrow ? x.index_select(0, call.rows) : x;
}

}  // namespace seawall
