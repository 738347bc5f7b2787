#pragma once
// Weights laid out once for products with few rows: at 50 rows a BLAS call spends a fifth of its
// time laying them out.
#include <vector>

#include "seawall/core/tensor.hpp"

namespace seawall::cpu {

/// y = x w^T with w packed in panels. Memory: a copy of the weights.
template <class Real>
class PackedLinear {
 public:
  /// Stacks `weights` by rows. Shapes: each [n_i,k].
  explicit PackedLinear(const std::vector<Tensor>& weights);
  std::int64_t n() const { return n_; }
  std::int64_t k() const { return k_; }
  /// y = x w^T (+ y where `add`). Shapes: x [m,k], y [m,n].
  void apply(const Real* x, std::int64_t m, Real* y, bool add) const;
  /// First column of the largest value of each row of x w^T, which never exists as a whole. Shapes:
  /// x [m,k] -> [m].
  std::vector<std::int64_t> argmax(const Real* x, std::int64_t m) const;

 private:
  std::int64_t n_ = 0, k_ = 0;
  std::vector<Real> data_;  // [panels, k, panel]
};

}  // namespace seawall::cpu
