// The kernels for AVX-512.
#if defined(__AVX512F__)
#include "model/kernels_impl.hpp"

namespace seawall::kernels {
struct Avx512;
extern const Table<float> avx512_float;
extern const Table<double> avx512_double;
extern const Bf16Table avx512_bf16;
constexpr Table<float> avx512_float = Kernels<Avx512, float, 64>::table("avx512");
constexpr Table<double> avx512_double = Kernels<Avx512, double, 64>::table("avx512");
constexpr Bf16Table avx512_bf16 = Kernels<Avx512, float, 64>::bf16_table();
}  // namespace seawall::kernels
#endif
