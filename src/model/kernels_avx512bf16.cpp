// Products of bf16 values for AVX512-BF16.
#if defined(__AVX512BF16__)
#include <immintrin.h>

#include "model/kernels_impl.hpp"
#include "model/kernels_pairs.hpp"

namespace seawall::kernels {
namespace {

struct Avx512Bf16 {
  static void accumulate_pairs(auto& sum, float pair, auto b) {
    const __m512i left = _mm512_set1_epi32(__builtin_bit_cast(int, pair));
    sum = _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(left), reinterpret_cast<__m512bh>(b));
  }
};
struct Widening;
using Pairs = PairProducts<Avx512Bf16, 64>;
using Wide = Kernels<Widening, float, 64>;

/// Where rows cannot be read as pairs the operands are widened.
template <class Right>
Index scratch_of(const Gemm<float, Right>& g) {
  return Pairs::has_pairs(g) ? Pairs::pairs_scratch(g) : Wide::gemm_scratch(g);
}
template <class Right>
void gemm_of(const Gemm<float, Right>& g, float* scratch) {
  Pairs::has_pairs(g) ? Pairs::pairs_gemm(g, scratch) : Wide::gemm(g, scratch);
}

}  // namespace

extern const Bf16Table avx512bf16_bf16;
constexpr Bf16Table avx512bf16_bf16 = {Wide::round,          Wide::widen,      Wide::narrow,
                                       Wide::multiply<Bf16>, scratch_of<Bf16>, gemm_of<Bf16>,
                                       scratch_of<float>,    gemm_of<float>};
}  // namespace seawall::kernels
#endif
