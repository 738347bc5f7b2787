#pragma once
// The decoder's blocks as differentiable operations: one autograd node for a run of blocks on the
// CPU, plain ATen elsewhere.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "seawall/core/tensor.hpp"
#include "seawall/core/trace.hpp"
#include "seawall/model/batch_plan.hpp"
#include "seawall/model/config.hpp"
#include "seawall/model/lora.hpp"

namespace seawall {

/// Who looks on inside blocks: at which kinds, and what their tensors pass through.
struct Inside {
  Taps kinds = {};
  std::function<Tensor(const TapPoint&, const Tensor& x)> pass = {};
};

/// A run of consecutive blocks and who looks on.
struct BlocksCall {
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
  /// With a kind in it the blocks run as plain operators.
  Inside inside = {};
};

/// True if the hand-written kernels can take these tensors.
bool can_fuse(at::TensorList weights);
/// What of the config or of the adapter the hand-written layers do not compute; empty: nothing.
std::string fused_lacks(const LlamaConfig& config, const Adapter* adapter = nullptr);
/// Whether the hand-written layers run these blocks. If only a fact that they lack prevents it,
/// tells the user once.
bool runs_fused(const LlamaConfig& config, at::TensorList weights,
                const Adapter* adapter = nullptr);

/// Runs the blocks whose weights are given, in the order of Family::block. Shapes: x [T,C] ->
/// [T,C]. Errors: RunError where a second derivative is asked for, or a weight was changed between
/// forward and backward.
Tensor fused_blocks(const BlocksCall& call, const Tensor& x, at::TensorList weights);
/// The same as plain differentiable operators, and with who looks on inside.
Tensor composite_blocks(const BlocksCall& call, const Tensor& x, at::TensorList weights);

/// The one of these two that fits the weights.
Tensor run_blocks(const BlocksCall& call, const Tensor& x, at::TensorList weights);
/// run_blocks, block by block, of which only the input is kept for the backward pass: it computes
/// the block again. The same bits. Who looks on sees a block once: one that is looked into is kept
/// whole. Errors: RunError for a second derivative, or where a weight was changed between forward
/// and backward. Source: Chen et al. 2016, "Training deep nets with sublinear memory cost".
Tensor recomputed_blocks(const BlocksCall& call, const Tensor& x, at::TensorList weights);

/// cos and sin of rotary positions. Shapes: positions [T] -> [T,1,D] each, in the type of `like`.
struct Angles {
  Tensor cos, sin;
};
Angles rotary_angles(const LlamaConfig& config, const Tensor& positions, const Tensor& like);
/// What one block has besides weights: the factors next to them, and who looks on.
struct BlockExtras {
  const Adapter* adapter = nullptr;
  std::int64_t layer = 0;
  const Inside* inside = nullptr;
  /// Where given, flat tokens [S] that alone are wanted after attention: the result is [S,C].
  Tensor rows = {};
};
/// One block as plain operators; `attend` turns rotated q [T,H,D], k and v [T,KV,D] into [T,H*D].
Tensor composite_block(
    const LlamaConfig& config, const Tensor& x, at::TensorList weights, const Angles& angles,
    const std::function<Tensor(const Tensor&, const Tensor&, const Tensor&)>& attend,
    const BlockExtras& extras = {});

/// What RMSNorm multiplies by: `w`, or the family's offset + w, in fp32 for narrower types.
Tensor norm_factor(const LlamaConfig& config, const Tensor& w);
/// RMSNorm as plain operators, in fp32 for narrower types. Shapes: x [...,C], w [C].
Tensor composite_rms_norm(const Tensor& x, const Tensor& w, double eps);

}  // namespace seawall
