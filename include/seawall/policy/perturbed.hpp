#pragma once
// Losses where the attention outputs are moved against the model.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "seawall/core/rng.hpp"
#include "seawall/policy/params.hpp"
#include "seawall/policy/trainer.hpp"

namespace seawall {

/// The gradient of the mean loss of a batch in `attn_out`, of every block that `in` names, in the
/// order of the forward pass. Tokens of a prefix that rows share are one place, and have the sum of
/// the rows' gradients. Shapes: each [T,C].
inline Tensors attention_gradients(Trainer& trainer, const Batch& batch,
                                   const std::function<bool(std::int64_t layer)>& in) {
  Tensors shifts;
  const auto add = [&](const TapPoint& point, const Tensor& x) {
    if (!in(point.layer)) return x;
    shifts.push_back(at::zeros_like(x.detach()).set_requires_grad(true));
    return x.add(shifts.back());
  };
  const auto loss = [&] {
    return trainer.pass(batch, {.edit = add, .edits = TapPoint::Kind::attn_out}).loss.mean();
  };
  return trainer.gradient(loss, shifts);
}

/// L2 norms of each. Shapes: -> [L] fp64, on the CPU.
inline Tensor norms_of(const Tensors& tensors) {
  Tensor out = at::empty({static_cast<std::int64_t>(tensors.size())}, at::kDouble);
  for (std::size_t i = 0; i < tensors.size(); ++i)
    out.data_ptr<double>()[i] = tensors[i].to(at::kDouble).norm().item<double>();
  return out;
}
/// Those of a batch's loss in the attention outputs of all blocks.
inline Tensor attention_norms(Trainer& trainer, const Batch& batch) {
  return norms_of(attention_gradients(trainer, batch, [](std::int64_t) { return true; }));
}

/// `count` of them (0: one in four; at most all) without replacement, each in proportion to its
/// score among those left. Shapes: scores [L] fp64 -> [L] bool.
inline Tensor drawn_by(const Tensor& scores, std::int64_t count, Rng& rng) {
  count = std::min(count > 0 ? count : (scores.size(0) + 3) / 4, scores.size(0));
  Tensor left = scores.clone(), out = at::zeros_like(scores, at::kBool);
  for (std::int64_t i = 0; i < count; ++i) {
    const Tensor sums = left.cumsum(0);
    const double at = rng.uniform() * sums[-1].item<double>();
    const std::int64_t at_most = scores.size(0) - 1;
    std::int64_t place = std::min(at_most, sums.le(at).sum().item<std::int64_t>());
    while (out[place].item<bool>()) place = (place + 1) % scores.size(0);  // all scores left are 0
    out[place].fill_(true);
    left[place].fill_(0);
  }
  return out;
}

/// Weights that stay as they are in a step, though the optimizer's momentum would move them.
struct HeldWeights {
  Tensors held;  // undefined where a weight moves

  /// In before_step: copies the weights that `moves` says no to, and clears their gradients.
  void take(ParamView params, const std::function<bool(const Param&)>& moves) {
    held.clear();
    for (const Param& p : params) {
      held.push_back(moves(p) ? Tensor() : p.master.detach().clone());
      if (held.back().defined()) gradient_of(p).zero_();
    }
  }
  /// In after_step.
  void put_back(ParamView params) const {
    for (std::size_t i = 0; i < held.size(); ++i)
      if (held[i].defined()) params[i].master.copy_(held[i]);
  }
};

/// The mean loss with rho g / (|g| + 1e-7) added to the attention outputs of the blocks that `in`
/// names, g their gradients together. As Vaccine (arXiv 2402.01109) takes it.
inline Tensor perturbed_loss(Trainer& trainer, const Batch& batch, double rho,
                             const std::function<bool(std::int64_t layer)>& in) {
  const Tensors gradients = attention_gradients(trainer, batch, in);
  const double scale = rho / (norms_of(gradients).norm().item<double>() + 1e-7);
  std::size_t next = 0;
  const auto move = [&](const TapPoint& point, const Tensor& x) {
    return in(point.layer) ? x.add(gradients.at(next++), scale) : x;
  };
  return trainer.pass(batch, {.edit = move, .edits = TapPoint::Kind::attn_out}).loss.mean();
}

}  // namespace seawall
