// The kernels for AVX2 and FMA.
#if defined(__AVX2__) && defined(__FMA__)
#include "model/kernels_impl.hpp"

namespace seawall::kernels {
struct Avx2;
extern const Table<float> avx2_float;
extern const Table<double> avx2_double;
extern const Bf16Table avx2_bf16;
constexpr Table<float> avx2_float = Kernels<Avx2, float, 32>::table("avx2");
constexpr Table<double> avx2_double = Kernels<Avx2, double, 32>::table("avx2");
constexpr Bf16Table avx2_bf16 = Kernels<Avx2, float, 32>::bf16_table();
}  // namespace seawall::kernels
#endif
