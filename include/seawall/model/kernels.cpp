#include "seawall/model/kernels.hpp"

#include "seawall/model/kernels_impl.hpp"
#include "seawall/model/runtime.hpp"

namespace seawall {
namespace kernels {

struct Portable;
#if defined(__x86_64__)
extern const Table<float> avx2_float, avx512_float;
extern const Table<double> avx2_double, avx512_double;
#endif

template <class Real>
static const Table<Real>& choose() {
  static constexpr Table<Real> portable = Kernels<Portable, Real, 16>::table("portable");
#if defined(__x86_64__)
  constexpr bool single = std::is_same_v<Real, float>;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
    if constexpr (single)
      return avx512_float;
    else
      return avx512_double;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    if constexpr (single)
      return avx2_float;
    else
      return avx2_double;
  }
#endif
  return portable;
}

template <class Real>
const Table<Real>& table() {
  static const Table<Real>& chosen = choose<Real>();
  return chosen;
}
template const Table<float>& table();
template const Table<double>& table();

}  // namespace kernels

const char* kernel_name() { return kernels::table<float>().name; }

}  // namespace seawall
