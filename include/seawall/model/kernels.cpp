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
std::vector<const Table<Real>*> tables() {
  static constexpr Table<Real> portable = Kernels<Portable, Real, 16>::table("portable");
  std::vector<const Table<Real>*> out;
#if defined(__x86_64__)
  auto add = [&](const Table<float>& single, const Table<double>& wide) {
    if constexpr (std::is_same_v<Real, float>)
      out.push_back(&single);
    else
      out.push_back(&wide);
  };
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
    add(avx512_float, avx512_double);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) add(avx2_float, avx2_double);
#endif
  out.push_back(&portable);
  return out;
}
template std::vector<const Table<float>*> tables();
template std::vector<const Table<double>*> tables();

template <class Real>
const Table<Real>& table() {
  static const Table<Real>& chosen = *tables<Real>().front();
  return chosen;
}
template const Table<float>& table();
template const Table<double>& table();

}  // namespace kernels

const char* kernel_name() { return kernels::table<float>().name; }

}  // namespace seawall
