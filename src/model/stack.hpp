#pragma once
// The decoder's blocks as differentiable operations: one autograd node for a run of blocks on the
// CPU, plain ATen elsewhere.
#include <functional>
#include <memory>
#include <vector>

#include "seawall/core/tensor.hpp"
#include "seawall/model/batch_plan.hpp"
#include "seawall/model/config.hpp"
#include "seawall/model/lora.hpp"

namespace seawall {

/// Tensors of one block in the order of LlamaConfig::parameter_shapes: input_layernorm, q, k, v, o,
/// post_attention_layernorm, gate, up, down; then, where the family has them, biases of q, k, v.
constexpr std::int64_t first_bias = 9;
inline std::int64_t layer_tensors(const LlamaConfig& config) {
  return config.qkv_bias() ? first_bias + 3 : first_bias;
}

/// A run of consecutive blocks and who looks on.
struct StackCall {
  const LlamaConfig& config;
  const BatchPlan& plan;
  std::int64_t first_layer = 0;
  /// Where given, flat tokens [S] whose stream is wanted after the last block: its output
  /// projection and MLP run on these only, and the result is [S,C].
  Tensor rows = {};
  /// Called with the residual stream after each block; may be empty.
  std::function<void(std::int64_t layer, const Tensor& x)> after = {};
  /// Factors beside the weights of the whole decoder; null for none.
  const Adapter* adapter = nullptr;
};

/// True where the hand-written layers can take `weights`.
bool can_fuse(at::TensorList weights);

/// Runs the blocks whose weights are given (layer_tensors a block). Shapes: x [T,C] -> [T,C].
/// Errors: RunError where a second derivative is asked for, or a weight was changed between forward
/// and backward.
Tensor fused_stack(const StackCall& call, const Tensor& x, at::TensorList weights);
/// The same as plain differentiable operators.
Tensor composite_stack(const StackCall& call, const Tensor& x, at::TensorList weights);

/// The one of these two that fits the weights.
Tensor run_stack(const StackCall& call, const Tensor& x, at::TensorList weights);

/// cos and sin of rotary positions. Shapes: positions [T] -> [T,1,D] each, in the type of `like`.
struct Angles {
  Tensor cos, sin;
};
Angles rotary_angles(const LlamaConfig& config, const Tensor& positions, const Tensor& like);
/// The factors beside one block's weights.
struct BlockAdapter {
  const Adapter* adapter = nullptr;
  std::int64_t layer = 0;
};
/// One block as plain operators; `attend` turns rotated q [T,H,D], k and v [T,KV,D] into [T,H*D].
Tensor composite_block(
    const LlamaConfig& config, const Tensor& x, at::TensorList weights, const Angles& angles,
    const std::function<Tensor(const Tensor&, const Tensor&, const Tensor&)>& attend,
    const BlockAdapter& adapter = {});

/// What RMSNorm multiplies by: `w`, or 1 + w of Gemma, in fp32 for narrower types.
Tensor norm_factor(const LlamaConfig& config, const Tensor& w);
/// RMSNorm as plain operators, in fp32 for narrower types. Shapes: x [...,C], w [C].
Tensor composite_rms_norm(const Tensor& x, const Tensor& w, double eps);

}  // namespace seawall
