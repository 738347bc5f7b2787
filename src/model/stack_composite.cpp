// The decoder's blocks as plain differentiable operators, for every device and type.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/tensor.h>

#include <optional>

#include "model/attention.hpp"
#include "model/stack.hpp"

namespace seawall {

static bool narrow(const Tensor& x) {
  return x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kHalf;
}

Tensor norm_factor(const LlamaConfig& config, const Tensor& w) {
  if (!config.gemma()) return w;
  return (narrow(w) ? w.to(at::kFloat) : w) + 1;
}

Tensor composite_rms_norm(const Tensor& x, const Tensor& w, double eps) {
  const Tensor wide = narrow(x) ? x.to(at::kFloat) : x;
  const Tensor normed = wide * (wide.pow(2).mean(-1, true) + eps).rsqrt();
  if (w.scalar_type() != x.scalar_type()) return (w * normed).to(x.scalar_type());  // a Gemma's
  return w * normed.to(x.scalar_type());
}

Angles rotary_angles(const LlamaConfig& c, const Tensor& positions, const Tensor& like) {
  const auto wide = like.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto options = like.options().dtype(wide);
  const Tensor plain =
      at::pow(c.rope_theta, at::arange(0, c.head_dim, 2, options) / c.head_dim).reciprocal();
  const Tensor frequency =
      c.rope_scaling.type == RopeScaling::Type::none
          ? plain
          : at::tensor(rotary_frequencies<double>(c), at::kDouble).to(options);  // [D/2]
  const Tensor angle = positions.to(wide).unsqueeze(1) * frequency;              // [T,D/2]
  const Tensor both = at::cat({angle, angle}, 1).unsqueeze(1);                   // [T,1,D]
  return {both.cos().to(like.scalar_type()), both.sin().to(like.scalar_type())};
}

static Tensor rotated(const Tensor& x, const Angles& angles) {  // [T,heads,D]
  const auto half = x.size(2) / 2;
  return x * angles.cos + at::cat({-x.narrow(2, half, half), x.narrow(2, 0, half)}, 2) * angles.sin;
}

/// x w^T, and what an adapter adds. Shapes: x [T,in], w [out,in] -> [T,out].
static Tensor project(const BlockAdapter& adapter, Projection p, const Tensor& x, const Tensor& w,
                      const std::optional<Tensor>& bias = {}) {
  Tensor y = at::linear(x, w, bias);
  if (!adapter.adapter) return y;
  const auto& f = adapter.adapter->at(adapter.layer, p);
  if (!f.on()) return y;
  const auto& a = *adapter.adapter;
  const Tensor input =
      a.drops()
          ? x * dropout_mask(Dropout{a.dropout_key, a.options.dropout}.of(adapter.layer, p), {}, x)
          : x;
  return y +
         at::linear(at::linear(input, f.a.to(x.scalar_type())), f.b.to(x.scalar_type())) * f.scale;
}

Tensor composite_block(
    const LlamaConfig& c, const Tensor& x, at::TensorList w, const Angles& angles,
    const std::function<Tensor(const Tensor&, const Tensor&, const Tensor&)>& attend,
    const BlockAdapter& lora) {
  using P = Projection;
  const Tensor normed = composite_rms_norm(x, norm_factor(c, w[0]), c.rms_norm_eps);
  auto heads = [&](P p, std::int64_t which, std::int64_t count) {
    const auto bias = c.qkv_bias() ? std::optional(w[first_bias + which - 1]) : std::nullopt;
    return project(lora, p, normed, w[which], bias)
        .view({x.size(0), count, c.head_dim});  // [T,heads,D]
  };
  const Tensor mixed =
      attend(rotated(heads(P::q, 1, c.heads), angles), rotated(heads(P::k, 2, c.kv_heads), angles),
             heads(P::v, 3, c.kv_heads));
  const Tensor middle = x + project(lora, P::o, mixed, w[4]);
  const Tensor again = composite_rms_norm(middle, norm_factor(c, w[5]), c.rms_norm_eps);
  const Tensor gate = project(lora, P::gate, again, w[6]);
  const Tensor opened = c.gemma() ? at::gelu(gate, "tanh") : at::silu(gate);
  return middle + project(lora, P::down, opened * project(lora, P::up, again, w[7]), w[8]);
}

Tensor composite_stack(const StackCall& call, const Tensor& input, at::TensorList weights) {
  const auto each = layer_tensors(call.config);
  const auto layers = static_cast<std::int64_t>(weights.size()) / each;
  const auto angles = rotary_angles(call.config, call.plan.positions, input);
  Tensor x = input;
  for (std::int64_t l = 0; l < layers; ++l) {
    x = composite_block(call.config, x, weights.slice(l * each, each), angles,
                        [&](const Tensor& q, const Tensor& k, const Tensor& v) {
                          return tree_attention(q, k, v, call.plan, call.config.sliding_window);
                        },
                        {call.adapter, call.first_layer + l});
    if (call.after) call.after(call.first_layer + l, x);
  }
  return call.rows.defined() ? x.index_select(0, call.rows) : x;
}

}  // namespace seawall
