#pragma once
// Final norm, head and cross-entropy or KL divergence on target rows, a chunk of rows at a time:
// the [targets, V] logits never exist.
#include "seawall/core/tensor.hpp"
#include "seawall/model/decoder.hpp"

namespace seawall {

/// What the loss reads. Shapes: hidden [T,C], norm [C], head [V,C].
struct HeadInputs {
  Tensor hidden, norm, head;
  double eps = 1e-5;
  double cap = 0;  // logits become cap tanh(logit / cap); 0: as they are
};

/// Which row of `hidden` predicts which token. Shapes: sources, ids [N] int64.
struct Targets {
  Tensor sources, ids;
};

/// Mean over the targets, gradients made in the forward pass; `each` takes the loss of every
/// target. Shapes: -> scalar, fp32 (fp64 for fp64 weights); each [N].
Tensor fused_loss(const HeadInputs& inputs, const Targets& targets, Tensor* each = nullptr);
/// One loss a target; the backward pass computes the logits again. Shapes: -> [N], fp32 (fp64 for
/// fp64 weights).
Tensor token_losses(const HeadInputs& inputs, const Targets& targets);
/// Sum over rows of weight * KL between the next-token distributions of two models over the whole
/// vocabulary; gradients in `now` made in the forward pass, none in `start`. Logits are fp32 for
/// narrower weights, not rounded to them. Shapes: now.hidden [M,C], start.hidden [M,C'], heads of
/// one V, weights [M] -> scalar, fp32 (fp64 for fp64 weights of `now`).
Tensor kl_loss(const HeadInputs& now, const HeadInputs& start, const Tensor& weights,
               KlDirection direction);

/// The divergence of each row, without gradients. Shapes: as above -> [M].
Tensor kl_rows(const HeadInputs& now, const HeadInputs& start, KlDirection direction);

/// x head^T, of any weight; bf16 on a CPU by the own kernels, differentiable once. Shapes: x [M,C],
/// head [V,C] -> [M,V].
Tensor head_logits(const Tensor& x, const Tensor& head);

}  // namespace seawall
