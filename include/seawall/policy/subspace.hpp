#pragma once
// Subspaces of gradients.
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <cstdint>

#include "seawall/policy/params.hpp"

namespace seawall {

/// Orthonormal directions in which the columns of x are largest: its first left singular vectors,
/// without those of singular values under 1e-5 of the largest, which rounding could have made. Rows
/// of x that are zero stay zero. Shapes: [P,n] -> [P,rank], or fewer. Memory: two copies of x in
/// fp64.
inline Tensor top_directions(const Tensor& x, std::int64_t rank) {
  const Tensor exact = x.to(at::kDouble);
  const bool tall = x.size(0) > x.size(1);
  const Tensor gram = tall ? exact.t().matmul(exact) : exact.matmul(exact.t());
  const auto [values, vectors] = at::linalg_eigh(gram);  // ascending
  const auto real = values.gt(values.max().mul(1e-10)).sum().item<std::int64_t>();
  const auto kept = std::min(rank, real), first = values.size(0) - kept;
  const Tensor v = vectors.narrow(1, first, kept);
  const Tensor u = tall ? exact.matmul(v).div(values.narrow(0, first, kept).sqrt()) : v;
  return u.flip(1).to(x.scalar_type());
}

/// x without its part in the span of a basis. Shapes: x [P,...], basis [P,rank].
inline Tensor outside(const Tensor& x, const Tensor& basis) {
  return x.sub(basis.matmul(basis.t().matmul(x)));
}

/// A weight's gradient as a matrix; a vector is one of a single column. Shapes: -> [rows,columns].
inline Tensor matrix_of(const Tensor& gradient) { return gradient.reshape({gradient.size(0), -1}); }

}  // namespace seawall
