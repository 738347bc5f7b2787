#include <immintrin.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "seawall/model/runtime.hpp"
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

__m256 read(const float* p) { return _mm256_loadu_ps(p); }
void write(float* p, __m256 x) { _mm256_storeu_ps(p, x); }
__m256 read(const Bf16* p) {
  const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
/// The nearest bf16, ties to even; NaN stays NaN.
__m256 nearest(__m256 x) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i up = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256 cut = _mm256_castsi256_ps(_mm256_and_si256(up, _mm256_set1_epi32(~0xffff)));
  const __m256 quiet = _mm256_castsi256_ps(_mm256_or_si256(bits, _mm256_set1_epi32(0x400000)));
  return _mm256_blendv_ps(cut, quiet, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}
void write(Bf16* p, __m256 x) {
  const __m256i high = _mm256_srli_epi32(_mm256_castps_si256(nearest(x)), 16);
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(high, high), 0x08);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(packed));
}
/// What a weight holds once it is stored.
__m256 as_stored(const float*, __m256 x) { return x; }
__m256 as_stored(const Bf16*, __m256 x) { return nearest(x); }

/// Reads the last `n` < 8 values, zeros after them.
template <class Value>
__m256 read_tail(const Value* p, std::int64_t n) {
  Value lanes[8] = {};
  std::memcpy(lanes, p, static_cast<std::size_t>(n) * sizeof(Value));
  return read(lanes);
}
template <class Value>
void write_tail(Value* p, __m256 x, std::int64_t n) {
  Value lanes[8];
  write(lanes, x);
  std::memcpy(p, lanes, static_cast<std::size_t>(n) * sizeof(Value));
}

/// Calls f(offset, get, put) for every eight of `n` values, the last ones padded with zeros.
template <class F>
void by_eights(std::int64_t n, const F& f) {
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    f([i](const auto* p) { return read(p + i); }, [i](auto* p, __m256 x) { write(p + i, x); });
  if (const std::int64_t rest = n - i; rest > 0)
    f([=](const auto* p) { return read_tail(p + i, rest); },
      [=](auto* p, __m256 x) { write_tail(p + i, x, rest); });
}

}  // namespace

bool have_avx2() { return cpu_in_use() >= Cpu::avx2; }

template <class Weight, class Grad, class Start>
Moved adamw_avx2(const AdamScalars& s, const AdamBlock<Weight, Grad, Start>& block,
                 std::int64_t n) {
  const Wide wide(s);
  Moved out;
  __m256 squares = _mm256_setzero_ps();
  by_eights(n, [&](const auto& get, const auto& put) {
    __m256 before = get(block.weight);
    if (block.term) before = _mm256_add_ps(before, get(block.term));
    __m256 mean = get(block.m), variance = get(block.v);
    const __m256 exact = wide.update(before, get(block.grad), mean, variance);
    put(block.m, mean);
    put(block.v, variance);
    put(block.weight, exact);
    if (block.master) put(block.master, exact);
    __m256 after = as_stored(block.weight, exact);
    if (block.term) {
      const __m256 lost = nearest(_mm256_sub_ps(exact, after));
      put(block.term, lost);
      after = _mm256_add_ps(after, lost);
    }
    out.count += changed_lanes(before, after);  // lanes after the tail stay zero
    const __m256 d = _mm256_sub_ps(after, get(block.start));
    squares = _mm256_fmadd_ps(d, d, squares);
  });
  out.drift_square = lane_sum(squares);
  return out;
}
template Moved adamw_avx2(const AdamScalars&, const AdamBlock<float>&, std::int64_t);
template Moved adamw_avx2(const AdamScalars&, const AdamBlock<float, Bf16>&, std::int64_t);
template Moved adamw_avx2(const AdamScalars&, const AdamBlock<float, float, Bf16>&, std::int64_t);
template Moved adamw_avx2(const AdamScalars&, const AdamBlock<float, Bf16, Bf16>&, std::int64_t);
template Moved adamw_avx2(const AdamScalars&, const AdamBlock<Bf16>&, std::int64_t);

template <class Start>
Moved measure_avx2(const float* before, const float* weight, const Start* start, std::int64_t n) {
  Moved out;
  __m256 squares = _mm256_setzero_ps();
  by_eights(n, [&](const auto& get, const auto&) {
    const __m256 now = get(weight);
    out.count += changed_lanes(get(before), now);
    const __m256 d = _mm256_sub_ps(now, get(start));
    squares = _mm256_fmadd_ps(d, d, squares);
  });
  out.drift_square = lane_sum(squares);
  return out;
}
template Moved measure_avx2(const float*, const float*, const float*, std::int64_t);
template Moved measure_avx2(const float*, const float*, const Bf16*, std::int64_t);

template <class Value>
double sum_squares_avx2(const Value* x, std::int64_t n) {
  __m256 even = _mm256_setzero_ps(), odd = _mm256_setzero_ps();
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m256 a = read(x + i), b = read(x + i + 8);
    even = _mm256_fmadd_ps(a, a, even);
    odd = _mm256_fmadd_ps(b, b, odd);
  }
  for (; i < n; i += 8) {
    const __m256 a = n - i >= 8 ? read(x + i) : read_tail(x + i, n - i);
    even = _mm256_fmadd_ps(a, a, even);
  }
  return lane_sum(_mm256_add_ps(even, odd));
}
template double sum_squares_avx2(const float*, std::int64_t);
template double sum_squares_avx2(const Bf16*, std::int64_t);

}  // namespace seawall::kernels
