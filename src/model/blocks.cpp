#include "model/blocks.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/core/ivalue.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/graph_task.h>

#include <algorithm>
#include <optional>

#include "model/block_weights.hpp"
#include "model/gemm.hpp"
#include "model/layer.hpp"
#include "seawall/core/error.hpp"
#include "seawall/model/runtime.hpp"

namespace seawall {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// What the backward pass needs of one block; freed as soon as it has been used.
struct SavedLayer {
  Tensor x_in, qkv, attention, lse, x_mid, gate_up;
  Tensor raw_qk;  // of families with norms of the heads
  Tensor kept;    // `attention` of the wanted rows, in a last block that runs on these only
};

/// Everything one node keeps: inputs, intermediate values and the versions the weights had.
struct SavedStack : torch::CustomClassHolder {
  LlamaConfig config;
  BatchPlan plan;
  std::vector<Tensor> weights;  // of the blocks, then factors
  std::size_t factors = 0;      // of them, how many
  std::vector<std::int64_t> versions;
  std::vector<SavedLayer> layers;
  Tensor rows;
  std::int64_t first_layer = 0;
  std::optional<Adapter> adapter;
};

template <class Real>
Real* at_offset(const Tensor& t, std::int64_t offset = 0) {
  return t.defined() ? static_cast<Real*>(t.data_ptr()) + offset : nullptr;
}

template <class Real>
cpu::LayerState<Real> state_of(const SavedLayer& s, const Tensor& x_out, std::int64_t tokens,
                               std::int64_t inner) {
  return {at_offset<Real>(s.x_in),
          at_offset<Real>(s.qkv),
          at_offset<Real>(s.attention),
          at_offset<Real>(s.lse),
          at_offset<Real>(s.x_mid),
          at_offset<Real>(s.gate_up),
          at_offset<Real>(s.gate_up, tokens * inner),
          at_offset<Real>(x_out),
          at_offset<Real>(s.raw_qk)};
}

SavedLayer make_layer(const LlamaConfig& c, std::int64_t tokens, const at::TensorOptions& options,
                      bool keep) {
  const auto shape = attention_shape(c);
  SavedLayer s;
  s.qkv = at::empty({tokens, shape.width()}, options);
  s.attention = at::empty({tokens, c.heads * c.head_dim}, options);
  s.lse = at::empty({c.heads, tokens}, options);
  if (keep) s.x_mid = at::empty({tokens, c.hidden_size}, options);
  if (keep && c.family->has(Part::q_norm))
    s.raw_qk = at::empty({tokens, (c.heads + c.kv_heads) * c.head_dim}, options);
  s.gate_up = at::empty({2, tokens, c.intermediate_size}, options);
  return s;
}

template <class Real, class Weight>
cpu::LayerMath<Real, Weight> math_of(const LlamaConfig& c, const BatchPlan& plan) {
  return {c, plan.tokens, plan.positions.const_data_ptr<std::int64_t>(),
          plan.attention->last_position + 1};
}

/// What goes through autograd beside the blocks' weights: factors in the order of
/// Adapter::tensors.
std::vector<Tensor> factors_of(const BlocksCall& call, std::int64_t layers) {
  std::vector<Tensor> out;
  if (!call.adapter) return out;
  for (std::int64_t l = call.first_layer; l < call.first_layer + layers; ++l)
    for (std::int64_t p = 0; p < projections_a_layer; ++p)
      if (const auto& f = call.adapter->at(l, static_cast<Projection>(p)); f.on()) {
        out.push_back(f.a);
        out.push_back(f.b);
      }
  return out;
}

std::size_t count_factors(const Adapter& adapter, std::int64_t layer) {
  std::size_t n = 0;
  for (std::int64_t p = 0; p < projections_a_layer; ++p)
    n += adapter.at(layer, static_cast<Projection>(p)).on() ? 2 : 0;
  return n;
}

/// Points `lora` at the factors of a layer; gradients from `grads` on, in the order of factors_of,
/// where given.
template <class Real, class Weight>
void point_at(cpu::LayerLora<Real, Weight>& lora, const Adapter& adapter, std::int64_t layer,
              const Tensor* grads = nullptr) {
  lora.layer = layer;
  lora.dropout = {adapter.dropout_key, adapter.options.dropout};
  for (std::int64_t p = 0; p < projections_a_layer; ++p) {
    auto& to = lora.factors[static_cast<std::size_t>(p)];
    to = {};
    const auto& f = adapter.at(layer, static_cast<Projection>(p));
    if (!f.on()) continue;
    to = {at_offset<Weight>(f.a),    at_offset<Weight>(f.b), nullptr, nullptr, f.rank(),
          static_cast<Real>(f.scale)};
    if (!grads) continue;
    to.da = at_offset<Weight>(*grads++);
    to.db = at_offset<Weight>(*grads++);
  }
}

struct Scratch {
  Tensor normed, inner, d_wide, d_heads;
  Scratch(const LlamaConfig& c, std::int64_t tokens, const at::TensorOptions& options,
          bool backward) {
    const auto shape = attention_shape(c);
    normed = at::empty({tokens, c.hidden_size}, options);
    inner = at::empty({tokens, c.intermediate_size}, options);
    if (!backward) return;
    d_wide = at::empty({tokens, std::max(c.intermediate_size, shape.width())}, options);
    d_heads = at::empty({tokens, c.heads * c.head_dim}, options);
  }
  template <class Real>
  cpu::LayerScratch<Real> pointers() const {
    return {at_offset<Real>(normed), at_offset<Real>(inner), at_offset<Real>(d_wide),
            at_offset<Real>(d_heads)};
  }
};

/// The second half of a last block on the wanted rows, from its projected q, k and v. Shapes: ->
/// [S,C].
template <class Real, class Weight>
Tensor finish_rows(const BlocksCall& call, cpu::LayerMath<Real, Weight> math,
                   const cpu::LayerFactors<const Weight>& w, SavedLayer layer, SavedStack* saved) {
  const auto& c = call.config;
  const auto rows = call.rows.size(0);
  const auto options = layer.qkv.options();
  cpu::attention_forward<Real>(*call.plan.attention, math.shape(), at_offset<Real>(layer.qkv),
                               at_offset<Real>(layer.attention), at_offset<Real>(layer.lse),
                               math.tokens());
  cpu::settle<Weight>(at_offset<Real>(layer.attention), layer.attention.numel());
  layer.kept = layer.attention.index_select(0, call.rows);  // [S,H*D]
  layer.x_mid = at::empty({rows, c.hidden_size}, options);
  layer.gate_up = at::empty({2, rows, c.intermediate_size}, options);
  const Tensor x = layer.x_in.index_select(0, call.rows);  // [S,C]
  Tensor out = at::empty_like(x);
  auto state = state_of<Real>(layer, out, rows, c.intermediate_size);
  state.x_in = at_offset<Real>(x);
  state.attention = at_offset<Real>(layer.kept);
  const Scratch scratch(c, rows, options, false);
  math.resize(rows, nullptr);
  if (math.lora()) math.lora()->rows = call.rows.const_data_ptr<std::int64_t>();
  math.finish(w, state, scratch.pointers<Real>());
  if (saved) saved->layers.push_back(layer);
  return out;
}

/// Runs the blocks; fills `saved` where a backward pass will follow.
template <class Real, class Weight>
Tensor run_forward(const BlocksCall& call, const Tensor& input, at::TensorList weights,
                   SavedStack* saved) {
  const auto& c = call.config;
  const auto tokens = call.plan.tokens,
             layers = static_cast<std::int64_t>(weights.size()) / layer_tensors(c);
  const auto options = input.options().dtype(c10::CppTypeToScalarType<Real>::value);
  auto math = math_of<Real, Weight>(c, call.plan);
  const Scratch scratch(c, tokens, options, false);
  Tensor x = input.to(options.dtype()).contiguous();
  cpu::LayerLora<Real, Weight> lora;
  if (call.adapter) math.adapt(&lora);
  SavedLayer layer;
  for (std::int64_t l = 0; l < layers; ++l) {
    if (saved || l == 0) layer = make_layer(c, tokens, options, saved != nullptr);
    layer.x_in = x;
    if (call.adapter) point_at(lora, *call.adapter, call.first_layer + l);
    if (call.rows.defined() && l + 1 == layers) {
      math.project(weights_of<const Weight>(c, weights, l),
                   state_of<Real>(layer, {}, tokens, c.intermediate_size),
                   scratch.pointers<Real>());
      return finish_rows(call, math, weights_of<const Weight>(c, weights, l), layer, saved)
          .to(input.scalar_type());
    }
    // Where nothing is kept the blocks work in place, on a copy of the input.
    const Tensor x_out = saved || l == 0 ? at::empty({tokens, c.hidden_size}, options) : x;
    auto state = state_of<Real>(layer, x_out, tokens, c.intermediate_size);
    if (!saved) state.x_mid = state.x_out;
    math.forward(*call.plan.attention, weights_of<const Weight>(c, weights, l), state,
                 scratch.pointers<Real>());
    if (saved) saved->layers.push_back(layer);
    x = x_out;
    if (call.after) call.after(call.first_layer + l, x.to(input.scalar_type()));
  }
  return x.to(input.scalar_type());
}

/// Gradients of x (first) and of the weights; undefined where not wanted.
template <class Real, class Weight>
variable_list run_backward(SavedStack& saved, const Tensor& d_out, const std::vector<bool>& wanted,
                           bool keep) {
  const auto tokens = saved.plan.tokens, layers = static_cast<std::int64_t>(saved.layers.size());
  const auto inner = saved.config.intermediate_size, each = layer_tensors(saved.config);
  auto math = math_of<Real, Weight>(saved.config, saved.plan);
  const auto* positions = saved.plan.positions.const_data_ptr<std::int64_t>();
  const auto options = d_out.options().dtype(c10::CppTypeToScalarType<Real>::value);
  const Scratch scratch(saved.config, tokens, options, true);
  variable_list grads(saved.weights.size() + 1);
  cpu::LayerLora<Real, Weight> lora;
  if (saved.adapter) math.adapt(&lora);
  const std::size_t first_factor = grads.size() - saved.factors;
  std::size_t factors = grads.size();  // those of this layer and the ones below end here
  Tensor dx = d_out.to(options.dtype(), false, true, at::MemoryFormat::Contiguous);
  for (auto l = layers - 1; l >= 0; --l) {
    // Does anything in this block or under it want a gradient?
    const auto any = [&](std::size_t begin, std::size_t end) {
      return std::find(wanted.begin() + begin, wanted.begin() + end, true) != wanted.begin() + end;
    };
    if (!any(0, 1 + (l + 1) * each) && !any(first_factor, factors)) break;
    for (std::int64_t i = l * each; i < (l + 1) * each; ++i)
      if (wanted[i + 1]) grads[i + 1] = at::empty_like(saved.weights[i]);
    SavedLayer layer = keep ? saved.layers[l] : std::move(saved.layers[l]);
    if (keep) layer.gate_up = layer.gate_up.clone();
    const auto w = weights_of<const Weight>(saved.config, saved.weights, l);
    const auto dw = weights_of<Weight>(saved.config, at::TensorList(grads).slice(1), l);
    const auto rows = layer.kept.defined() ? saved.rows.size(0) : tokens;
    if (saved.adapter) {
      const std::size_t end = factors;
      factors -= count_factors(*saved.adapter, saved.first_layer + l);
      for (auto i = factors; i < end; ++i)
        if (wanted[i]) grads[i] = at::empty_like(saved.weights[i - 1]);
      point_at(lora, *saved.adapter, saved.first_layer + l, grads.data() + factors);
      lora.rows = layer.kept.defined() ? saved.rows.const_data_ptr<std::int64_t>() : nullptr;
    }
    auto state = state_of<Real>(layer, {}, rows, inner);
    if (layer.kept.defined()) state.attention = at_offset<Real>(layer.kept);
    math.resize(rows, positions);
    math.finish_backward(w, state, scratch.pointers<Real>(), at_offset<Real>(dx), dw);
    if (layer.kept.defined()) {  // back from the wanted rows to all
      const Tensor d_heads = scratch.d_heads.narrow(0, 0, rows).clone();
      scratch.d_heads.zero_().index_copy_(0, saved.rows, d_heads);     // [T,H*D]
      dx = at::zeros_like(layer.x_in).index_copy_(0, saved.rows, dx);  // [T,C]
      state.attention = at_offset<Real>(layer.attention);
    }
    math.resize(tokens, positions);
    lora.rows = nullptr;
    math.project_backward(*saved.plan.attention, w, state, scratch.pointers<Real>(),
                          at_offset<Real>(dx), dw);
  }
  if (wanted[0]) grads[0] = dx.to(d_out.scalar_type());
  return grads;
}

/// Calls f(computed value, stored weight) with one of each for the type that weights have.
template <class F>
auto with_types(at::ScalarType weights, F&& f) {
  if (weights == at::kBFloat16) return f(float{}, cpu::Bf16{});
  if (weights == at::kDouble) return f(double{}, double{});
  return f(float{}, float{});
}

Tensor forward_of(const BlocksCall& call, const Tensor& x, at::TensorList weights,
                  SavedStack* saved) {
  return with_types(weights[0].scalar_type(), [&](auto real, auto weight) {
    return run_forward<decltype(real), decltype(weight)>(call, x, weights, saved);
  });
}

struct BlocksFunction : torch::autograd::Function<BlocksFunction> {
  static Tensor forward(AutogradContext* ctx, const BlocksCall* call, bool keep,
                        std::size_t factors, const Tensor& x, at::TensorList all) {
    const auto weights = all.slice(0, all.size() - factors);
    if (!keep) return forward_of(*call, x, weights, nullptr);
    auto saved = c10::make_intrusive<SavedStack>();
    saved->config = call->config;
    saved->plan = call->plan;
    saved->rows = call->rows;
    saved->first_layer = call->first_layer;
    if (call->adapter) saved->adapter = *call->adapter;
    saved->weights = all.vec();
    saved->factors = factors;
    for (const auto& w : saved->weights) saved->versions.push_back(w._version());
    auto out = forward_of(*call, x, weights, saved.get());
    ctx->saved_data["stack"] = c10::IValue::make_capsule(saved);
    return out;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& d_out) {
    if (at::GradMode::is_enabled())
      throw RunError(
          "decoder: second derivatives are not implemented in the fused layers; call backward "
          "without create_graph, or "
          "set_compute_path(ComputePath::composite)");
    const auto capsule = ctx->saved_data.at("stack").toCapsule();
    auto& saved = static_cast<SavedStack&>(*capsule);
    if (saved.layers.empty() || !saved.layers.back().qkv.defined())
      throw RunError(
          "decoder: backward ran twice through one forward pass; ask for retain_graph the first "
          "time");
    const auto each = static_cast<std::size_t>(layer_tensors(saved.config));
    for (std::size_t i = 0; i < saved.weights.size(); ++i)
      if (static_cast<std::int64_t>(saved.weights[i]._version()) != saved.versions[i])
        throw RunError(i + saved.factors >= saved.weights.size()
                           ? std::string("decoder: a factor of the adapter was changed in place "
                                         "between forward and backward")
                           : "decoder: weight " + std::to_string(i % each) + " of layer " +
                                 std::to_string(i / each) +
                                 " was changed in place between forward and backward");
    std::vector<bool> wanted(saved.weights.size() + 1);
    for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] = ctx->needs_input_grad(i);
    const bool keep = torch::autograd::get_current_graph_task_keep_graph();
    auto grads = with_types(saved.weights[0].scalar_type(), [&](auto real, auto weight) {
      return run_backward<decltype(real), decltype(weight)>(saved, d_out[0], wanted, keep);
    });
    grads.insert(grads.begin(), 3, Tensor());  // call, keep, factors
    return grads;
  }
};

bool any_grad(const Tensor& x, at::TensorList weights) {
  return at::GradMode::is_enabled() &&
         (x.requires_grad() || std::any_of(weights.begin(), weights.end(),
                                           [](const Tensor& w) { return w.requires_grad(); }));
}

}  // namespace

Tensor fused_blocks(const BlocksCall& call, const Tensor& x, at::TensorList weights) {
  auto all = weights.vec();
  const auto factors =
      factors_of(call, static_cast<std::int64_t>(all.size()) / layer_tensors(call.config));
  all.insert(all.end(), factors.begin(), factors.end());
  return BlocksFunction::apply(&call, any_grad(x, all), factors.size(), x, at::TensorList(all));
}

Tensor run_blocks(const BlocksCall& call, const Tensor& x, at::TensorList weights) {
  if (call.inside.kinds.any() || !runs_fused(call.config, weights, call.adapter))
    return composite_blocks(call, x, weights);
  if (!call.adapter) return fused_blocks(call, x, weights);
  Adapter same = *call.adapter;  // factors in the weights' type, as the plain operators take them
  for (auto& f : same.factors)
    if (f.on()) {
      f.a = f.a.to(weights[0].scalar_type()).contiguous();
      f.b = f.b.to(weights[0].scalar_type()).contiguous();
    }
  BlocksCall cast = call;
  cast.adapter = &same;
  return fused_blocks(cast, x, weights);
}

}  // namespace seawall
