#pragma once
// Row kernels that ATen leaves unfused on the CPU. Each works on a range of rows of one thread;
// callers split the work.
#include <cstdint>
#include <vector>

namespace seawall::kernels {

using Index = std::int64_t;

/// A value stored as bfloat16, the upper half of an fp32 one.
struct Bf16 {
  std::uint16_t bits;
};

/// Operands of `Table::multiply`; strides in values.
template <class Real, class Weight = Real>
struct Product {
  const Real* a;
  Index a_stride;
  const Weight* packed;
  Real* c;
  Index c_stride;
  Index m, n, k;
  bool add;
};

/// c = a b (+ c where `add`): a stored [m,k] ([k,m] transposed), b [k,n] ([n,k] transposed);
/// strides in values.
template <class Real, class Right = Real>
struct Gemm {
  const Real* a;
  Index a_stride;
  bool a_transposed;
  const Right* b;
  Index b_stride;
  bool b_transposed;
  Real* c;
  Index c_stride;
  Index m, n, k;
  bool add;
};

/// out[h,t] = q[h] . k[:,t] for t < m: heads that share keys. Keys are stored transposed,
/// `k_stride` apart; keys and scores are read and written in whole vectors, up to 15 places beyond
/// m. Shapes: q [heads,d], k [d,k_stride], out [heads,out_stride].
template <class Real>
struct HeadScores {
  const Real* q;
  Index heads;
  const Real* k;
  Index k_stride, m, d;
  Real* out;
  Index out_stride;
};

/// out[h] += p[h] v: heads that share values. Shapes: p [heads,p_stride], v [m,d], out [heads,d].
template <class Real>
struct HeadMix {
  const Real* p;
  Index p_stride, heads;
  const Real* v;
  Index m, d;
  Real* out;
};

/// The kernels for one type, chosen once for the machine's instructions. Rows are contiguous unless
/// a stride is named.
template <class Real>
struct Table {
  const char* name;
  /// y = x / rms(x) * w. Shapes: x, y [rows,c], w [c].
  void (*rms_norm)(Real* y, const Real* x, const Real* w, Index rows, Index c, Real eps);
  /// dx += gradient through rms_norm; dw += its weight gradient, where `dw` is given. Shapes: dy,
  /// x, dx [rows,c], w, dw [c].
  void (*rms_norm_backward)(Real* dx, Real* dw, const Real* dy, const Real* x, const Real* w,
                            Index rows, Index c, Real eps);
  /// Rotates halves (i, i + d/2) of `heads` heads of one row by `sign` times the angle. Shapes: row
  /// [heads,d], cos, sin [d/2].
  void (*rope)(Real* row, const Real* cos, const Real* sin, Index heads, Index d, Real sign);
  /// h = silu(gate) * up. Shapes: all [n].
  void (*silu_mul)(Real* h, const Real* gate, const Real* up, Index n);
  /// Turns (gate, up) into their gradients in place, given dh, and writes h again. Shapes: all [n].
  void (*silu_mul_backward)(Real* gate, Real* up, const Real* dh, Real* h, Index n);
  /// The same with the tanh form of GELU in place of silu.
  void (*gelu_mul)(Real* h, const Real* gate, const Real* up, Index n);
  void (*gelu_mul_backward)(Real* gate, Real* up, const Real* dh, Real* h, Index n);
  /// p = softmax(scale * s) in place over the first `n` columns, zero up to `end`; returns
  /// log-sum-exp of scale * s.
  Real (*softmax)(Real* s, Real scale, Index n, Index end);
  /// p = exp(scale * s - lse) over n, zero up to `end`; dp becomes ds = scale * p * (dp - delta),
  /// zero up to `end`.
  void (*softmax_backward)(Real* s, Real* dp, Real scale, Real lse, Real delta, Index n, Index end);
  Real (*dot)(const Real* a, const Real* b, Index n);
  /// log-sum-exp of a row.
  Real (*log_sum_exp)(const Real* x, Index n);
  /// x = exp(x - lse) * scale in place.
  void (*scaled_exp)(Real* x, Real lse, Real scale, Index n);
  /// First index of the largest value; NaN never wins.
  Index (*argmax)(const Real* x, Index n);
  void (*scores)(const HeadScores<Real>& scores);
  void (*weigh)(const HeadMix<Real>& mix);
  /// Columns of a panel of `multiply`.
  Index panel;
  /// c = a b (+ c where `add`) over consecutive panels of a packed matrix: [panels, k, panel], the
  /// last one padded. Shapes: a [m,k], c [m,n].
  void (*multiply)(const Product<Real>& product);
  /// Values of scratch that `gemm` needs.
  Index (*gemm_scratch)(const Gemm<Real>& gemm);
  /// A matrix product on one thread.
  void (*gemm)(const Gemm<Real>& gemm, Real* scratch);
};

/// Kernels for what is stored as bf16 and computed in fp32.
struct Bf16Table {
  /// Rounds to the nearest bf16 in place, ties to even; NaN stays NaN.
  void (*round)(float* x, Index n);
  void (*widen)(float* y, const Bf16* x, Index n);
  /// Rounds as `round` does.
  void (*narrow)(Bf16* y, const float* x, Index n);
  /// As those of `Table<float>`, the right operand stored as bf16 and widened on the way.
  void (*multiply)(const Product<float, Bf16>& product);
  Index (*gemm_scratch)(const Gemm<float, Bf16>& gemm);
  void (*gemm)(const Gemm<float, Bf16>& gemm, float* scratch);
  /// The same of two operands that hold bf16 values in fp32.
  Index (*values_scratch)(const Gemm<float>& gemm);
  void (*values_gemm)(const Gemm<float>& gemm, float* scratch);
};

/// What this machine can run, the best first (see Cpu in runtime.hpp).
template <class Real>
std::vector<const Table<Real>*> tables();
std::vector<const Bf16Table*> bf16_tables();
/// The best of them.
template <class Real>
const Table<Real>& table();
const Bf16Table& bf16_table();

}  // namespace seawall::kernels
