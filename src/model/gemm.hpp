#pragma once
// Row-major matrix products. Written here because BLAS lays operands out anew for every call: on
// the shapes of a training step and of decoding this runs 10 to 60 % faster than the MKL inside
// libtorch (bench/decoder.cpp), with the same sums on any number of threads.
#include <cstdint>
#include <type_traits>
#include <vector>

#include "seawall/model/kernels.hpp"

namespace seawall::cpu {

using kernels::Bf16;

/// A matrix whose rows are `stride` apart.
template <class Real>
struct View {
  Real* data;
  std::int64_t stride;
};

struct Size {
  std::int64_t m, n, k;
};

enum class Store { set, add };

/// Rounds to bf16 in place; bf16 to fp32; fp32 to the nearest bf16. On all threads.
void round_bf16(float* x, std::int64_t n);
void widen_bf16(float* y, const Bf16* x, std::int64_t n);
void narrow_bf16(Bf16* y, const float* x, std::int64_t n);

/// c = a b (+ c). Shapes: a [m,k] ([k,m] where `transpose_a`), b [k,n] ([n,k] where `transpose_b`),
/// c [m,n].
template <class Real>
void gemm(bool transpose_a, bool transpose_b, Size size, View<const Real> a, View<const Real> b,
          View<Real> c, Store store = Store::set);
/// The same with b stored as bf16 and a of bf16 values, which a CPU that has the instructions
/// multiplies as pairs; others widen b while it is packed and multiply as fast as in fp32.
template <class Real>
void gemm(bool transpose_a, bool transpose_b, Size size, View<const Real> a, View<const Bf16> b,
          View<Real> c, Store store = Store::set);
/// dw = dy^T x (+ dw) of bf16 values, summed in fp32 and rounded once. Shapes: as grad_weight.
void grad_weight_bf16(Size s, View<const float> dy, View<const float> x, Bf16* dw, Store store);

// A weight's type is `Real` or Bf16.
/// y = x w^T (+ y). Shapes: x [m,k], w [n,k], y [m,n].
template <class Real, class Weight>
void linear(Size s, View<const Real> x, const Weight* w, View<Real> y, Store store = Store::set) {
  gemm<Real>(false, true, s, x, View<const Weight>{w, s.k}, y, store);
}
/// dx = dy w (+ dx). Shapes: dy [m,n], w [n,k], dx [m,k].
template <class Real, class Weight>
void grad_input(Size s, View<const Real> dy, const Weight* w, View<Real> dx,
                Store store = Store::set) {
  gemm<Real>(false, false, {s.m, s.k, s.n}, dy, View<const Weight>{w, s.k}, dx, store);
}
/// dw = dy^T x (+ dw). Shapes: dy [m,n], x [m,k], dw [n,k].
template <class Real, class Weight>
void grad_weight(Size s, View<const Real> dy, View<const Real> x, Weight* dw,
                 Store store = Store::set) {
  if constexpr (std::is_same_v<Weight, Bf16>)
    grad_weight_bf16(s, dy, x, dw, store);
  else
    gemm<Real>(true, false, {s.n, s.k, s.m}, dy, x, {dw, s.k}, store);
}

/// True for values computed in `Real` that are held to what `Weight` can store.
template <class Real, class Weight>
inline constexpr bool is_narrow = !std::is_same_v<Real, Weight>;
/// Rounds `n` values to what `Weight` can store, on all threads.
template <class Weight, class Real>
void settle(Real* x, std::int64_t n) {
  if constexpr (is_narrow<Real, Weight>) round_bf16(x, n);
}
/// The same values in `Real`: `x` itself, or a copy in `scratch`. Null stays null.
template <class Real, class Weight>
const Real* widened(const Weight* x, std::int64_t n, std::vector<Real>& scratch) {
  if constexpr (is_narrow<Real, Weight>) {
    if (!x) return nullptr;
    scratch.resize(static_cast<std::size_t>(n));
    widen_bf16(scratch.data(), x, n);
    return scratch.data();
  } else {
    return x;
  }
}

}  // namespace seawall::cpu
