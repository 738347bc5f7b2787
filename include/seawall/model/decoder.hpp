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

/// What may look at or change a forward pass, in the order in which it computes. Unset functions
/// cost nothing. Lines are the plan's flat tokens: a shared prefix is seen once. A block of which a
/// kind of `inside_taps` is looked at runs as plain operators, slower than the hand-written layers
/// and with every intermediate value kept; the other blocks stay as they are.
struct ForwardHooks {
  /// Returns what flows on in place of `x`, at every place of `taps`. Shapes: as x, see TapPoint.
  std::function<Tensor(const TapPoint&, const Tensor& x)> edit;
  /// Which places `take` is called at; may be asked more than once per place. Unset: all of `taps`.
  std::function<bool(const TapPoint&)> wants;
  /// Called with what flows on, after `edit`. Shapes: see TapPoint; `sink` in fp32 for narrower
  /// weights. x lives on the model's device; without `graph` it has no gradient and must be copied
  /// to be kept.
  std::function<void(const TapPoint&, const Tensor& x)> take;
  /// Kinds that `edit` and `take` are called at. `sink` can be taken, not edited.
  Taps taps = TapPoint::Kind::embed | TapPoint::Kind::resid_post;
  /// Whether tensors given to `take` are part of the autograd graph and stay as they are, so that
  /// a loss may be made of them.
  bool graph = false;
  /// Where Decoder::loss puts the loss of each target, without gradient and at no cost. Shapes:
  /// [N].
  Tensor* token_losses = nullptr;
};

/// How the cross-entropy is differentiated: `fused` makes the gradient in the forward pass for a
/// mean over N targets; `per_token` keeps losses apart so that policies can weight them.
enum class LossMode { fused, per_token };

struct HeadInputs;  // loss.hpp
struct Targets;     // loss.hpp

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
  /// the parameters when they require grad. Errors: UsageError for hooks on `final_norm`, `logits`
  /// or an edit of `sink`, and for an edit's result of another shape.
  Tensor hidden(const BatchPlan& plan, const ForwardHooks& hooks = {}) const;
  /// Cross-entropy of every target. Shapes: hidden [T,C] -> [N] fp32 (per_token), or a scalar mean
  /// fp32 (fused). Memory: logits exist for one chunk of targets only.
  Tensor loss(const Tensor& hidden, const BatchPlan& plan, LossMode mode) const;
  /// The same as loss(hidden(plan, hooks), plan, mode), faster: if no hook looks at the last block,
  /// its output projection and MLP run only on tokens that predict a target.
  Tensor loss(const BatchPlan& plan, LossMode mode, const ForwardHooks& hooks = {}) const;
  /// Mean over the targets of the KL divergence between the next-token distributions of `start` and
  /// of this decoder over the whole vocabulary; hooks and gradients are this decoder's alone.
  /// Shapes: -> scalar fp32 (fp64 for fp64 weights). Memory: logits of both exist for one chunk of
  /// tokens only, and the gradient is made in the forward pass. Errors: UsageError if there is no
  /// target, or if vocabulary or device differ; RunError for a second derivative.
  Tensor kl(const BatchPlan& plan, const Decoder& start, KlDirection direction,
            const ForwardHooks& hooks = {}) const;
  /// The same divergence for each target, without gradients. Shapes: hidden [T,C] of this decoder,
  /// start_hidden [T,C'] of the other -> [N] fp32 (fp64). Memory and errors: as above.
  Tensor kl_each(const Tensor& hidden, const Decoder& start, const Tensor& start_hidden,
                 const BatchPlan& plan, KlDirection direction) const;
  /// Logits that predict each target, differentiable. Shapes: -> [N,V] in the model's dtype.
  /// Memory: 4 N V bytes in fp32 and as much again for each operation on them: small batches; kl
  /// and loss need no such tensor. Errors: UsageError if there is no target.
  Tensor logits_at(const BatchPlan& plan, const ForwardHooks& hooks = {}) const;
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
  Tensor run(const BatchPlan& plan, const ForwardHooks& hooks, const Tensor& rows) const;
  Tensor needed_rows(const char* caller, const BatchPlan& plan, const ForwardHooks& hooks) const;
  HeadInputs head_inputs(const Tensor& rows) const;
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
