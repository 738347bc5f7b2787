// Activation checkpointing: blocks of which autograd keeps the input alone, and which the backward
// pass computes once more.
#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>
#include <string>

#include "model/block_weights.hpp"
#include "model/blocks.hpp"
#include "seawall/core/error.hpp"

namespace seawall {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// f of the factors next to a layer's weights, in order.
template <class AdapterType, class F>
void each_factor(AdapterType& adapter, std::int64_t layer, const F& f) {
  for (std::int64_t p = 0; p < projections_a_layer; ++p) {
    auto& factors = adapter.factors[static_cast<std::size_t>(layer * projections_a_layer + p)];
    if (factors.on()) f(factors);
  }
}

/// A block as a function of tensors: the stream, its weights, its factors. Dropout's masks are a
/// function of the adapter's key, so that they come again.
struct PureBlock : torch::CustomClassHolder {
  LlamaConfig config;
  BatchPlan plan;
  std::int64_t layer = 0;
  Tensor rows;
  std::optional<Adapter> adapter;

  Tensor operator()(at::TensorList tensors) const {
    const auto weights = static_cast<std::size_t>(layer_tensors(config));
    BlocksCall call{config, plan};
    call.first_layer = layer;
    call.rows = rows;
    auto given = adapter;
    if (given) {
      std::size_t next = 1 + weights;
      each_factor(*given, layer, [&](LoraFactors& f) {
        f.a = tensors[next++];
        f.b = tensors[next++];
      });
      call.adapter = &*given;
    }
    return run_blocks(call, tensors[0], tensors.slice(1, weights));
  }
};

/// Errors: RunError where one is not what it was, or no longer there.
variable_list tensors_of(AutogradContext* ctx, const PureBlock& block) {
  try {
    return ctx->get_saved_variables();
  } catch (const c10::Error&) {
    throw RunError("decoder: a weight of layer " + std::to_string(block.layer) +
                   " was changed in place between forward and backward, or backward ran twice "
                   "through one forward pass without retain_graph");
  }
}

struct Recomputed : torch::autograd::Function<Recomputed> {
  static Tensor forward(AutogradContext* ctx, const c10::intrusive_ptr<PureBlock>& block,
                        at::TensorList tensors) {
    ctx->save_for_backward(tensors.vec());
    ctx->saved_data["block"] = c10::IValue::make_capsule(block);
    return (*block)(tensors);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& d_out) {
    if (at::GradMode::is_enabled())
      throw RunError(
          "a block that is computed again has no second derivative; leave out "
          "--activation-checkpointing");
    const auto block =
        c10::static_intrusive_pointer_cast<PureBlock>(ctx->saved_data["block"].toCapsule());
    variable_list tensors = tensors_of(ctx, *block), wanted;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      tensors[i] = tensors[i].detach();
      if (ctx->needs_input_grad(i)) wanted.push_back(tensors[i].requires_grad_(true));
    }
    Tensor out;
    {
      const at::AutoGradMode on(true);
      out = (*block)(tensors);
    }
    const auto found = torch::autograd::grad({out}, wanted, {d_out[0]}, /*retain_graph=*/false,
                                             /*create_graph=*/false, /*allow_unused=*/true);
    variable_list grads(1);  // of the block itself
    std::size_t next = 0;
    for (std::size_t i = 0; i < tensors.size(); ++i)
      grads.push_back(ctx->needs_input_grad(i) ? found[next++] : Tensor());
    return grads;
  }
};

}  // namespace

Tensor recomputed_blocks(const BlocksCall& call, const Tensor& input, at::TensorList weights) {
  if (call.inside.kinds.any() || !at::GradMode::is_enabled())
    return run_blocks(call, input, weights);
  const auto each = static_cast<std::size_t>(layer_tensors(call.config));
  const auto layers = static_cast<std::int64_t>(weights.size() / each);
  // The hand-written layers keep the stream between blocks in fp32.
  const bool widens =
      input.scalar_type() == at::kBFloat16 && runs_fused(call.config, weights, call.adapter);
  Tensor x = widens ? input.to(at::kFloat) : input;
  for (std::int64_t l = 0; l < layers; ++l) {
    const bool last = l + 1 == layers;
    auto block = c10::make_intrusive<PureBlock>();
    block->config = call.config;
    block->plan = call.plan;
    block->layer = call.first_layer + l;
    if (last) block->rows = call.rows;
    if (call.adapter) block->adapter = *call.adapter;
    variable_list tensors{x};
    for (const Tensor& w : weights.slice(static_cast<std::size_t>(l) * each, each))
      tensors.push_back(w);
    if (call.adapter)
      each_factor(*call.adapter, block->layer, [&](const LoraFactors& f) {
        tensors.push_back(f.a);
        tensors.push_back(f.b);
      });
    x = Recomputed::apply(block, at::TensorList(tensors));
    if (call.after && !(last && call.rows.defined()))
      call.after(block->layer, x.to(input.scalar_type()));
  }
  return x.to(input.scalar_type());
}

}  // namespace seawall
