#pragma once
// Row-major matrix products through the BLAS that libtorch carries; called inside a parallel region
// they stay on one thread.
#include <cstdint>

extern "C" {
void sgemm_(const char*, const char*, const int*, const int*, const int*, const float*,
            const float*, const int*, const float*, const int*, const float*, float*, const int*)
    __attribute__((weak));
void dgemm_(const char*, const char*, const int*, const int*, const int*, const double*,
            const double*, const int*, const double*, const int*, const double*, double*,
            const int*) __attribute__((weak));
}

namespace seawall::blas {

/// False where this libtorch exports no BLAS; the composite path is used then.
inline bool available() { return &sgemm_ != nullptr && &dgemm_ != nullptr; }

/// A matrix [rows, columns] whose rows are `stride` apart.
template <class Real>
struct View {
  Real* data;
  std::int64_t stride;
};

struct Size {
  std::int64_t m, n, k;
};

/// c = alpha * a * b + beta * c with optional transposes; `a` is stored [m,k] ([k,m] transposed),
/// `b` [k,n] ([n,k] transposed).
template <class Real>
void gemm(bool transpose_a, bool transpose_b, Size size, Real alpha, View<const Real> a,
          View<const Real> b, Real beta, View<Real> c) {
  const int m = static_cast<int>(size.m), n = static_cast<int>(size.n),
            k = static_cast<int>(size.k);
  const int lda = static_cast<int>(a.stride), ldb = static_cast<int>(b.stride),
            ldc = static_cast<int>(c.stride);
  const char ta = transpose_a ? 'T' : 'N', tb = transpose_b ? 'T' : 'N';
  if constexpr (sizeof(Real) == 4)  // BLAS is column-major: compute the transpose
    sgemm_(&tb, &ta, &n, &m, &k, &alpha, b.data, &ldb, a.data, &lda, &beta, c.data, &ldc);
  else
    dgemm_(&tb, &ta, &n, &m, &k, &alpha, b.data, &ldb, a.data, &lda, &beta, c.data, &ldc);
}

/// y = x w^T (+ y). Shapes: x [m,k], w [n,k], y [m,n].
template <class Real>
void linear(Size s, View<const Real> x, const Real* w, Real beta, View<Real> y) {
  gemm<Real>(false, true, s, Real(1), x, {w, s.k}, beta, y);
}
/// dx = dy w (+ dx). Shapes: dy [m,n], w [n,k], dx [m,k].
template <class Real>
void grad_input(Size s, View<const Real> dy, const Real* w, Real beta, View<Real> dx) {
  gemm<Real>(false, false, {s.m, s.k, s.n}, Real(1), dy, {w, s.k}, beta, dx);
}
/// dw = dy^T x. Shapes: dy [m,n], x [m,k], dw [n,k].
template <class Real>
void grad_weight(Size s, View<const Real> dy, View<const Real> x, Real* dw) {
  gemm<Real>(true, false, {s.n, s.k, s.m}, Real(1), dy, x, Real(0), {dw, s.k});
}

}  // namespace seawall::blas
