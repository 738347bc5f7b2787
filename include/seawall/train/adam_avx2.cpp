#include <immintrin.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "seawall/train/adam_kernels.hpp"

namespace seawall::kernels {
namespace {

/// Sum of the eight lanes in double.
double lane_sum(__m256 x) {
  const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(x));
  const __m256d high = _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1));
  const __m256d four = _mm256_add_pd(low, high);
  const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

int changed_lanes(__m256 a, __m256 b) {
  const __m256i same = _mm256_cmpeq_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b));
  return 8 - std::popcount(static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(same))));
}

/// AdamW constants in registers.
struct Wide {
  explicit Wide(const AdamScalars& s)
      : decay(_mm256_set1_ps(s.decay)),
        lerp(_mm256_set1_ps(s.lerp)),
        lerp_less_one(_mm256_set1_ps(s.lerp - 1.0f)),
        beta2(_mm256_set1_ps(s.beta2)),
        square(_mm256_set1_ps(s.square)),
        root(_mm256_set1_ps(s.root_correction)),
        eps(_mm256_set1_ps(s.eps)),
        minus_step(_mm256_set1_ps(s.minus_step)),
        scale(_mm256_set1_ps(s.grad_scale)),
        decays(s.decay != 1.0f),
        scales(s.grad_scale != 1.0f),
        small_lerp(std::fabs(s.lerp) < 0.5f) {}
  __m256 decay, lerp, lerp_less_one, beta2, square, root, eps, minus_step, scale;
  bool decays, scales, small_lerp;

  // The order of operations and the fused multiply-adds are those of ATen's FusedAdamKernel.cpp as
  // it is compiled; a test compares the bits.
  __m256 update(__m256 w, __m256 g, __m256& m, __m256& v) const {
    if (scales) g = _mm256_mul_ps(g, scale);
    if (decays) {
      w = _mm256_mul_ps(w, decay);
      asm("" : "+x"(w));  // keeps the compiler from fusing it with the addition below
    }
    const __m256 toward = _mm256_sub_ps(g, m);
    m = small_lerp ? _mm256_fmadd_ps(lerp, toward, m) : _mm256_fmadd_ps(lerp_less_one, toward, g);
    v = _mm256_fmadd_ps(_mm256_mul_ps(square, g), g, _mm256_mul_ps(v, beta2));
    const __m256 denominator = _mm256_add_ps(_mm256_div_ps(_mm256_sqrt_ps(v), root), eps);
    const __m256 change = _mm256_div_ps(_mm256_mul_ps(minus_step, m), denominator);
    return _mm256_add_ps(w, change);
  }
};

/// Reads the last `n` < 8 floats, zeros behind them.
__m256 load_tail(const float* p, std::int64_t n) {
  float lanes[8] = {};
  std::memcpy(lanes, p, static_cast<std::size_t>(n) * sizeof(float));
  return _mm256_loadu_ps(lanes);
}
void store_tail(float* p, __m256 x, std::int64_t n) {
  float lanes[8];
  _mm256_storeu_ps(lanes, x);
  std::memcpy(p, lanes, static_cast<std::size_t>(n) * sizeof(float));
}

}  // namespace

bool have_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

Moved adamw_avx2(const AdamScalars& s, float* weight, const float* grad, float* m, float* v,
                 const float* start, std::int64_t n) {
  const Wide wide(s);
  Moved out;
  __m256 squares = _mm256_setzero_ps();
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256 before = _mm256_loadu_ps(weight + i);
    __m256 mean = _mm256_loadu_ps(m + i), variance = _mm256_loadu_ps(v + i);
    const __m256 after = wide.update(before, _mm256_loadu_ps(grad + i), mean, variance);
    _mm256_storeu_ps(m + i, mean);
    _mm256_storeu_ps(v + i, variance);
    _mm256_storeu_ps(weight + i, after);
    out.count += changed_lanes(before, after);
    const __m256 d = _mm256_sub_ps(after, _mm256_loadu_ps(start + i));
    squares = _mm256_fmadd_ps(d, d, squares);
  }
  if (i < n) {
    const std::int64_t rest = n - i;
    const __m256 before = load_tail(weight + i, rest);
    __m256 mean = load_tail(m + i, rest), variance = load_tail(v + i, rest);
    const __m256 after = wide.update(before, load_tail(grad + i, rest), mean, variance);
    store_tail(m + i, mean, rest);
    store_tail(v + i, variance, rest);
    store_tail(weight + i, after, rest);
    out.count += changed_lanes(before, after);  // lanes behind the tail stay zero
    const __m256 d = _mm256_sub_ps(after, load_tail(start + i, rest));
    squares = _mm256_fmadd_ps(d, d, squares);
  }
  out.drift_square = lane_sum(squares);
  return out;
}

Moved measure_avx2(const float* before, const float* weight, const float* start, std::int64_t n) {
  Moved out;
  __m256 squares = _mm256_setzero_ps();
  for (std::int64_t i = 0; i < n; i += 8) {
    const std::int64_t rest = n - i;
    const bool whole = rest >= 8;
    const __m256 was = whole ? _mm256_loadu_ps(before + i) : load_tail(before + i, rest);
    const __m256 now = whole ? _mm256_loadu_ps(weight + i) : load_tail(weight + i, rest);
    const __m256 from = whole ? _mm256_loadu_ps(start + i) : load_tail(start + i, rest);
    out.count += changed_lanes(was, now);
    const __m256 d = _mm256_sub_ps(now, from);
    squares = _mm256_fmadd_ps(d, d, squares);
  }
  out.drift_square = lane_sum(squares);
  return out;
}

double sum_squares_avx2(const float* x, std::int64_t n) {
  __m256 even = _mm256_setzero_ps(), odd = _mm256_setzero_ps();
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(x + i + 8);
    even = _mm256_fmadd_ps(a, a, even);
    odd = _mm256_fmadd_ps(b, b, odd);
  }
  for (; i < n; i += 8) {
    const __m256 a = n - i >= 8 ? _mm256_loadu_ps(x + i) : load_tail(x + i, n - i);
    even = _mm256_fmadd_ps(a, a, even);
  }
  return lane_sum(_mm256_add_ps(even, odd));
}

}  // namespace seawall::kernels
