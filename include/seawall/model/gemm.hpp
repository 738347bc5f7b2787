#pragma once
// Row-major matrix products. Written here because BLAS lays operands out anew for every call: on
// the shapes of a training step and of decoding this runs 10 to 60 % faster than the MKL inside
// libtorch (bench/decoder.cpp), with the same sums on any number of threads.
#include <cstdint>

namespace seawall::cpu {

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

/// c = a b (+ c). Shapes: a [m,k] ([k,m] where `transpose_a`), b [k,n] ([n,k] where `transpose_b`),
/// c [m,n].
template <class Real>
void gemm(bool transpose_a, bool transpose_b, Size size, View<const Real> a, View<const Real> b,
          View<Real> c, Store store = Store::set);

/// y = x w^T (+ y). Shapes: x [m,k], w [n,k], y [m,n].
template <class Real>
void linear(Size s, View<const Real> x, const Real* w, View<Real> y, Store store = Store::set) {
  gemm<Real>(false, true, s, x, {w, s.k}, y, store);
}
/// dx = dy w (+ dx). Shapes: dy [m,n], w [n,k], dx [m,k].
template <class Real>
void grad_input(Size s, View<const Real> dy, const Real* w, View<Real> dx,
                Store store = Store::set) {
  gemm<Real>(false, false, {s.m, s.k, s.n}, dy, {w, s.k}, dx, store);
}
/// dw = dy^T x (+ dw). Shapes: dy [m,n], x [m,k], dw [n,k].
template <class Real>
void grad_weight(Size s, View<const Real> dy, View<const Real> x, Real* dw,
                 Store store = Store::set) {
  gemm<Real>(true, false, {s.n, s.k, s.m}, dy, x, {dw, s.k}, store);
}

}  // namespace seawall::cpu
