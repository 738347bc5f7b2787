#pragma once
// The answers of a batch place by place, for what compares rows.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorIndexing.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/randn.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "seawall/policy/trainer.hpp"

namespace seawall {

/// Shapes: [B,P], int64.
struct AnswerTable {
  Tensor tokens;  // -1 after an answer's end
  Tensor places;  // the flat token that holds each; -1 at and after an answer's last, which
                  // predicts nothing
};

/// Shapes: row [N] -> [B] on the CPU; B is the last row with a target and those before it.
inline Tensor targets_per_row(const Tensor& row) { return row.bincount().cpu(); }

/// Longest answer of a batch, in targets.
inline std::int64_t longest_answer(const Batch& batch) {
  return batch.place.max().item<std::int64_t>() + 1;
}

/// `width`: P, at least the longest answer. For rows whose last answer alone carries loss.
inline AnswerTable answer_table(const Batch& batch, std::int64_t width) {
  AnswerTable table;
  table.tokens = at::full({batch.last.size(0), width}, -1, batch.token.options());
  table.tokens.index_put_({batch.row, batch.place}, batch.token);
  // What predicts a target holds the one before it.
  const Tensor later = batch.place.gt(0);
  const auto of_later = [&](const Tensor& t) { return t.masked_select(later); };
  table.places = at::full_like(table.tokens, -1);
  table.places.index_put_({of_later(batch.row), of_later(batch.place).sub(1)},
                          of_later(batch.source));
  return table;
}

/// The mean of losses [N] over the targets that `mask` [B,P] names.
inline Tensor masked_mean(const Tensor& loss, const Batch& batch, const Tensor& mask) {
  const Tensor weights = mask.index({batch.row, batch.place}).to(loss.scalar_type());
  return loss.mul(weights).sum().div(weights.sum().clamp_min(1));
}

/// What flat tokens hold, row by row; zeros where `mask` [B,P] is off. Shapes: x [T,C] -> [B,P*C]
/// fp32.
inline Tensor answers_of(const Tensor& x, const AnswerTable& table, const Tensor& mask) {
  const Tensor all = x.index_select(0, table.places.clamp_min(0).reshape({-1}));
  return all.to(c10::promoteTypes(x.scalar_type(), at::kFloat))
      .mul(mask.reshape({-1, 1}))
      .reshape({table.places.size(0), -1});
}

/// Rows of [B,P*C], zeros where `mask` [B,P] is off.
inline Tensor masked(const Tensor& rows, const Tensor& mask) {
  return rows.view({mask.size(0), mask.size(1), -1}).mul(mask.unsqueeze(-1)).view(rows.sizes());
}

/// -log p of the targets where `stream`, a tap of `pass` such as a block's output, goes straight to
/// the final norm and the head. The last block's is the pass's own. Shapes: -> [N]. Cost: a pass.
inline Tensor loss_of_stream(Trainer& trainer, const Batch& batch, const Pass& pass,
                             const Tensor& stream) {
  std::int64_t last = -1;
  const Tensor* own = nullptr;
  for (const auto& [point, x] : pass.taps)
    if (point.kind == TapPoint::Kind::resid_post) last = point.layer, own = &x;
  if (own != nullptr && own->is_same(stream)) return pass.loss;
  const auto put = [&](const TapPoint& point, const Tensor& x) {
    return point.layer == last ? stream : x;
  };
  return trainer.pass(batch, {.edit = put, .edits = TapPoint::Kind::resid_post}).loss;
}

/// Standard normal numbers from a policy's stream, on the CPU whatever the device. Shapes: [B,P*C].
inline Tensor normal_like(const Tensor& x, Trainer& trainer) {
  auto generator = at::detail::createCPUGenerator(trainer.rng().next());
  return at::randn(x.sizes(), generator, x.options().device(at::kCPU).requires_grad(false))
      .to(x.device());
}

/// Maximum mean discrepancy of two sets of vectors: five Gaussian kernels around the mean squared
/// distance, whose gradient is not followed; own pairs included. Source: Gretton et al. 2012; as
/// Rosati et al. 2024 take it. Shapes: a, b [n,D] -> [].
inline Tensor mean_discrepancy(const Tensor& a, const Tensor& b) {
  const Tensor both = at::cat({a, b});
  const Tensor products = both.matmul(both.t()), squares = both.square().sum(-1);
  const Tensor distance = squares.unsqueeze(0).add(squares.unsqueeze(1)).sub(products.mul(2));
  const auto n = static_cast<double>(both.size(0));
  const Tensor width = distance.detach().sum().div((n * n - n) * 4);
  Tensor kernel;
  for (int i = 0; i < 5; ++i) {
    const Tensor one = distance.div(width.mul(std::pow(2.0, i))).neg().exp();
    kernel = kernel.defined() ? kernel.add(one) : one;
  }
  const std::int64_t k = a.size(0);
  const auto part = [&](std::int64_t row, std::int64_t column) {
    return kernel.narrow(0, row, k).narrow(1, column, k).mean();
  };
  return part(0, 0).add(part(k, k)).sub(part(0, k)).sub(part(k, 0));
}

}  // namespace seawall
