#pragma once
// One pass over weights on the CPU that does what is otherwise several: AdamW, which weights
// moved, how far from the start. Plain pointers and no ATen, so that the file compiled for AVX2 can
// leak no instruction into shared inline functions.
#include <cstdint>

#include "seawall/device/rows/adamw.hpp"
#include "seawall/model/kernels.hpp"

namespace seawall::kernels {

struct AdamScalars : rows::AdamWScalars {
  float grad_scale = 1;  // clipping; the gradient is multiplied by it, skipped at 1
};

/// What a block of weights did.
struct Moved {
  std::int64_t count = 0;   // weights whose bits changed
  double drift_square = 0;  // sum of (weight - start)^2
};

/// Weights a block; partial sums are made a block and added in order, so that no sum depends on the
/// number of threads.
inline constexpr std::int64_t block_size = 8192;

/// True where this CPU runs the AVX2 passes below.
bool have_avx2();

/// A block of weights with what AdamW keeps of them. Moments are stored as weights are; the start
/// of fp32 weights may be bf16, which widened is the same.
template <class Weight, class Grad = Weight, class Start = Weight>
struct AdamBlock {
  Weight* weight;
  const Grad* grad;
  Weight *m, *v;
  const Start* start;
  Bf16* term = nullptr;     // Kahan: what rounding lost of each weight; null for none
  float* master = nullptr;  // where given, the new weight before it is rounded
};

/// AdamW in fp32 on `n` weights in place, each rounded once as it is stored, with what moved. Bits
/// of fp32 weights equal those of at::_fused_adamw_ where ATen runs its vector path (n a multiple
/// of 16). For fp32 weights with fp32 or bf16 gradients and starts, and for bf16 ones.
template <class Weight, class Grad, class Start>
Moved adamw_avx2(const AdamScalars& s, const AdamBlock<Weight, Grad, Start>& block, std::int64_t n);
/// What moved between `before` and `weight`.
template <class Start>
Moved measure_avx2(const float* before, const float* weight, const Start* start, std::int64_t n);
/// Sum of squares. NaN or Inf where any element is.
template <class Value>
double sum_squares_avx2(const Value* x, std::int64_t n);

}  // namespace seawall::kernels
