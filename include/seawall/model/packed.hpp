#pragma once
// Weights laid out once for products with few rows: at 50 rows a BLAS call spends a fifth of its
// time laying them out.
#include <memory>
#include <vector>

#include "seawall/core/tensor.hpp"

namespace seawall::cpu {

/// True where a decoder of `values` weights may be held a second time, laid out: up to 4 GiB. What
/// is larger is laid out again by each product, one panel at a time; costly only for few rows.
inline bool lay_out(std::int64_t values, std::int64_t value_bytes) {
  return values <= (std::int64_t{4} << 30) / value_bytes;
}

/// y = x w^T with w packed in panels. Memory: a copy of the weights, in their type, or none.
template <class Real, class Weight = Real>
class PackedLinear {
 public:
  /// Stacks `weights` by rows, which are contiguous. `copy` is what lay_out says. Shapes: each
  /// [n_i,k].
  explicit PackedLinear(const std::vector<Tensor>& weights, bool copy = true);
  std::int64_t n() const { return n_; }
  std::int64_t k() const { return k_; }
  /// y = x w^T (+ y where `add`). Shapes: x [m,k], y [m,n].
  void apply(const Real* x, std::int64_t m, Real* y, bool add) const;
  /// First column of the largest value of each row of x w^T, which never exists as a whole; of
  /// equals after rounding where weights are bf16; -1 if it is not finite. `log_probs`: room for
  /// its log-softmax there, or null. Shapes: x [m,k] -> [m]; log_probs [m].
  std::vector<std::int64_t> argmax(const Real* x, std::int64_t m, float* log_probs = nullptr) const;

 private:
  std::int64_t n_ = 0, k_ = 0;
  /// logits = x w^T for `columns` of w from `first` on. Shapes: logits [m,width].
  void part(const Real* x, std::int64_t m, std::int64_t first, std::int64_t columns, Real* logits,
            std::int64_t width) const;

  std::vector<Tensor> plain_;       // where there is no copy
  std::unique_ptr<Weight[]> data_;  // [panels, k, panel]
};

}  // namespace seawall::cpu
