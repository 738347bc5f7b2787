#pragma once
// Optimal brain surgeon: a matrix takes over some entries of another, and the columns after them
// make up for what that does to its outputs. Source: Lu et al. 2025, arXiv 2505.12038, algorithm 1.
#include <ATen/ops/cholesky_inverse.h>
#include <ATen/ops/linalg_cholesky.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "seawall/core/tensor.hpp"

namespace seawall {

/// The upper Cholesky factor of H^-1, with `damp` times the mean of H's diagonal added to it.
/// Shapes: [K,K] fp64.
inline Tensor inverse_factor(Tensor hessian, double damp) {
  hessian = hessian.clone();
  hessian.diagonal().add_(hessian.diagonal().mean().mul(damp));
  return at::linalg_cholesky(at::cholesky_inverse(at::linalg_cholesky(hessian)), /*upper=*/true);
}

/// Which entries of `tuned` may come: in ascending order of 1 / h^2 without the top 15 %, while the
/// sum of ((tuned - start) / h)^2 is at most s / 2 * rows / 4096 * mean(1 / h^2), h the factor's
/// diagonal. Shapes: [out,K] fp64 -> [out,K] bool.
inline Tensor affordable(const Tensor& start, const Tensor& tuned, const Tensor& factor, double s) {
  const Tensor h = factor.diagonal();
  const Tensor rank = h.square().reciprocal().expand_as(start).flatten();
  const auto dropped = static_cast<std::int64_t>(0.15 * static_cast<double>(rank.numel()));
  const Tensor order = rank.argsort(/*stable=*/true, 0, false).narrow(0, 0, rank.numel() - dropped);
  const Tensor cost = tuned.sub(start).div(h).square().flatten().index_select(0, order).cumsum(0);
  const Tensor most = rank.mean().mul(s / 2 * static_cast<double>(start.size(0)) / 4096);
  const Tensor out = at::zeros({rank.numel()}, start.options().dtype(at::kBool));
  return out.index_put({order}, cost.le(most)).view_as(start);
}

/// `start` with the entries of `tuned` that `come`, columns in groups of four. Shapes: [out,K]
/// fp64.
inline Tensor compensated(const Tensor& start, const Tensor& tuned, const Tensor& come,
                          const Tensor& factor) {
  constexpr std::int64_t group = 4;
  const Tensor h = factor.diagonal();
  Tensor now = start.clone();
  for (std::int64_t at = 0; at < now.size(1); at += group) {
    const auto width = std::min(group, now.size(1) - at), after = at + width;
    const Tensor here = now.narrow(1, at, width);
    const Tensor made = at::where(come.narrow(1, at, width), tuned.narrow(1, at, width), here);
    const Tensor error = here.sub(made).div(h.narrow(0, at, width));
    here.copy_(made);
    now.narrow(1, after, now.size(1) - after)
        .sub_(error.matmul(factor.narrow(0, at, width).narrow(1, after, now.size(1) - after)));
  }
  return now;
}

}  // namespace seawall
