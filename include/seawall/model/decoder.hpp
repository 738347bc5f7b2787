#pragma once
// The decoder of all families: RMSNorm, RoPE, grouped-query attention, a gated MLP, tied or untied
// head; any device, any float dtype.
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "seawall/core/tensor.hpp"
#include "seawall/core/trace.hpp"
#include "seawall/model/batch_plan.hpp"
#include "seawall/model/config.hpp"
#include "seawall/model/lora.hpp"

namespace seawall {

/// What may look at or change the residual stream. Unset functions cost nothing.
struct ForwardHooks {
  /// Returns what flows on in place of `x`. Shapes: x [T,C].
  std::function<Tensor(const TapPoint&, const Tensor& x)> edit;
  /// Asked before anything is copied.
  std::function<bool(const TapPoint&)> wants;
  /// Shapes: x [T,C]; lives on the model's device, must be copied to be kept.
  std::function<void(const TapPoint&, const Tensor& x)> take;
};

/// How the cross-entropy is differentiated: `fused` makes the gradient in the forward pass for a
/// mean over N targets; `per_token` keeps losses apart so that policies can weight them.
enum class LossMode { fused, per_token };

struct Targets;  // loss.hpp

class Decoder {
 public:
  /// Takes the weights as they are (no copy). Errors: DataError naming a missing, surplus or
  /// wrongly shaped tensor.
  Decoder(LlamaConfig config, const NamedTensors& weights);

  const LlamaConfig& config() const { return config_; }
  /// In the order of LlamaConfig::parameter_shapes. The tensors are the ones the forward pass
  /// reads.
  const NamedTensors& parameters() const { return weights_; }
  at::Device device() const;
  at::ScalarType dtype() const;
  void set_requires_grad(bool on);
  /// Puts other tensors under the same names (precision policies, reload). Errors: DataError on a
  /// shape that differs.
  void replace(const NamedTensors& weights);

  /// Adds factors to the weights: every forward pass adds their products. Generation wants them
  /// merged (MergedAdapter). Errors: DataError where they do not fit.
  void adapt(Adapter adapter);
  void drop_adapter() { adapter_.reset(); }
  /// Null where there is none.
  Adapter* adapter() { return adapter_ ? &*adapter_ : nullptr; }
  const Adapter* adapter() const { return adapter_ ? &*adapter_ : nullptr; }
  /// Adds the products to the weights for good and drops the factors. The tensors given stay as
  /// they are.
  void merge();

  /// Rows of the embedding as they go into the first block. Shapes: ids [M] int64 -> [M,C].
  Tensor embed_ids(const Tensor& ids) const;
  /// What goes into the first block: the tokens' embeddings, and the plan's pictures. Shapes: ->
  /// [T,C]. Errors: UsageError where the pictures' width is not C.
  Tensor embed(const BatchPlan& plan) const;
  /// Residual stream after the last block, before the final norm. Shapes: [T,C]. Differentiable in
  /// the parameters when they require grad.
  Tensor hidden(const BatchPlan& plan, const ForwardHooks& hooks = {}) const;
  /// Cross-entropy of every target. Shapes: hidden [T,C] -> [N] fp32 (per_token), or a scalar mean
  /// fp32 (fused). Memory: logits exist for one chunk of targets only.
  Tensor loss(const Tensor& hidden, const BatchPlan& plan, LossMode mode) const;
  /// The same as loss(hidden(plan, hooks), plan, mode), faster: where no hook looks on, the last
  /// block's output projection and MLP run only where a token is predicted.
  Tensor loss(const BatchPlan& plan, LossMode mode, const ForwardHooks& hooks = {}) const;
  /// Final norm and head. Shapes: rows [M,C] -> [M,V] in the model's dtype.
  Tensor logits(const Tensor& rows) const;

  /// Weights of all blocks, each in the order of Family::block.
  std::vector<Tensor> layer_weights() const;
  const Tensor& embedding() const { return weights_.front().tensor; }  // [V,C]
  const Tensor& final_norm() const {
    return weights_[weights_.size() - (config_.tie_word_embeddings ? 1 : 2)].tensor;
  }  // [C]
  const Tensor& head() const {
    return config_.tie_word_embeddings ? embedding() : weights_.back().tensor;
  }  // [V,C]

 private:
  Tensor target_loss(const Tensor& rows, const Targets& targets, LossMode mode) const;
  LlamaConfig config_;
  NamedTensors weights_;
  std::optional<Adapter> adapter_;
};

/// While it lives the decoder's adapted weights are W + s B A and it has no adapter, so that
/// generation runs at full speed; then the same tensors are there again. Memory: a copy of the
/// adapted weights; elsewhere than on a CPU on the host, where W waits to be copied back, bit for
/// bit.
class MergedAdapter {
 public:
  explicit MergedAdapter(Decoder& decoder);
  ~MergedAdapter();
  MergedAdapter(const MergedAdapter&) = delete;
  MergedAdapter& operator=(const MergedAdapter&) = delete;

 private:
  Decoder& decoder_;
  NamedTensors before_;
  std::vector<std::pair<Tensor, Tensor>> waiting_;  // on the device, and what it held
  std::optional<Adapter> adapter_;
};

/// Zero-mean normal weights (std 0.02, norms at 1), drawn on the CPU from `seed`. The output
/// projections o_proj and down_proj are scaled by 1/sqrt(2L).
NamedTensors random_weights(const LlamaConfig& config, std::uint64_t seed);

}  // namespace seawall
