#pragma once
// The factors beside one block's weights on the CPU, forward and backward by hand, on plain memory.
#include <array>
#include <cstdint>
#include <memory>

#include "model/gemm.hpp"
#include "seawall/model/lora.hpp"

namespace seawall::cpu {

/// Adds s drop(x) A^T B^T to what LayerMath computes with W. The down projection drop(x) A^T is
/// computed again in the backward pass: it costs a r-th of the block, and nothing is kept.
template <class Real, class Weight = Real>
class LayerLora {
 public:
  struct Factors {
    const Weight *a = nullptr, *b = nullptr;  // null: no adapter on this weight
    Weight *da = nullptr, *db = nullptr;      // null where not wanted
    std::int64_t rank = 0;
    Real scale = 0;
  };
  std::array<Factors, projections_a_layer> factors;
  Dropout dropout;  // of the whole decoder
  std::int64_t layer = 0;
  const std::int64_t* rows = nullptr;  // numbers of the rows worked on; null: as they stand

  /// A product's sizes: x [t,in], y [t,out].
  struct Sizes {
    std::int64_t t, out, in;
  };
  /// y += s drop(x) A^T B^T.
  void forward(Projection p, Sizes s, View<const Real> x, View<Real> y);
  /// dx += s mask * (dy B A).
  void input_gradient(Projection p, Sizes s, View<const Real> dy, View<Real> dx);
  /// dB = s dy^T (drop(x) A^T), dA = (s dy B)^T drop(x).
  void factor_gradients(Projection p, Sizes s, View<const Real> dy, View<const Real> x);
  /// Whether factor_gradients has anything to do.
  bool wants(Projection p) const {
    const auto& f = of(p);
    return f.da != nullptr || f.db != nullptr;
  }

 private:
  const Factors& of(Projection p) const { return factors[static_cast<std::size_t>(p)]; }
  View<const Real> dropped(Projection p, Sizes s, View<const Real> x);
  /// s x w^T of few columns. Shapes: x [t,in], w [rank,in] -> [t,rank].
  void scaled(const Factors& f, Sizes s, View<const Real> x, Real* out);
  /// s dy B. Shapes: dy [t,out] -> [t,rank].
  void scaled_back(const Factors& f, Sizes s, View<const Real> dy, Real* out);

  struct Buffer {
    std::unique_ptr<Real[]> data;
    std::int64_t size = 0;
    Real* get(std::int64_t n) {
      if (n > size) data.reset(new Real[static_cast<std::size_t>(size = n)]);
      return data.get();
    }
  };
  Buffer low_, d_low_, masked_;
};

}  // namespace seawall::cpu
