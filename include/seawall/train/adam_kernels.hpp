#pragma once
// One pass over fp32 weights on the CPU that does what is otherwise several: AdamW, which weights
// moved, how far from the start. Plain pointers and no ATen, so that the file compiled for AVX2 can
// leak no instruction into shared inline functions.
#include <cstdint>

namespace seawall::kernels {

/// The scalars of one AdamW step, as `at::_fused_adamw_` forms them.
struct AdamScalars {
  float decay = 1;  // 1 - lr * weight_decay; skipped at 1
  float lerp = 0;   // 1 - beta1
  float beta2 = 0;
  float square = 0;           // 1 - beta2
  float root_correction = 1;  // sqrt(1 - beta2^t)
  float eps = 0;
  float minus_step = 0;  // -lr / (1 - beta1^t)
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

/// AdamW on `n` weights in place, with what moved. Bits equal those of at::_fused_adamw_ where ATen
/// runs its vector path (n a multiple of 16).
Moved adamw_avx2(const AdamScalars& s, float* weight, const float* grad, float* m, float* v,
                 const float* start, std::int64_t n);
/// What moved between `before` and `weight`.
Moved measure_avx2(const float* before, const float* weight, const float* start, std::int64_t n);
/// Sum of squares. NaN or Inf where any element is.
double sum_squares_avx2(const float* x, std::int64_t n);

}  // namespace seawall::kernels
