#include "seawall/model/kernels.hpp"

#include <cstdlib>
#include <string>

#include "model/kernels_impl.hpp"
#include "seawall/core/error.hpp"
#include "seawall/model/runtime.hpp"

namespace seawall {
namespace kernels {

struct Portable;
#if defined(__x86_64__)
extern const Table<float> avx2_float, avx512_float;
extern const Table<double> avx2_double, avx512_double;
extern const Bf16Table avx2_bf16, avx512_bf16, avx512bf16_bf16;
#endif

template <class Real>
std::vector<const Table<Real>*> tables() {
  static constexpr Table<Real> portable = Kernels<Portable, Real, 16>::table("portable");
  const auto most = cpu_in_use();
  std::vector<const Table<Real>*> out;
#if defined(__x86_64__)
  auto add = [&](const Table<float>& single, const Table<double>& wide) {
    if constexpr (std::is_same_v<Real, float>)
      out.push_back(&single);
    else
      out.push_back(&wide);
  };
  if (most >= Cpu::avx512) add(avx512_float, avx512_double);
  if (most >= Cpu::avx2) add(avx2_float, avx2_double);
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

std::vector<const Bf16Table*> bf16_tables() {
  static constexpr Bf16Table portable = Kernels<Portable, float, 16>::bf16_table();
  const auto most = cpu_in_use();
  std::vector<const Bf16Table*> out;
#if defined(__x86_64__)
  if (most >= Cpu::avx512bf16) out.push_back(&avx512bf16_bf16);
  if (most >= Cpu::avx512) out.push_back(&avx512_bf16);
  if (most >= Cpu::avx2) out.push_back(&avx2_bf16);
#endif
  out.push_back(&portable);
  return out;
}
const Bf16Table& bf16_table() {
  static const Bf16Table& chosen = *bf16_tables().front();
  return chosen;
}

}  // namespace kernels

const char* kernel_name() { return kernels::table<float>().name; }

static Cpu detect_cpu() {
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
    return __builtin_cpu_supports("avx512bf16") ? Cpu::avx512bf16 : Cpu::avx512;
  if (avx2) return Cpu::avx2;
#endif
  return Cpu::portable;
}

Cpu cpu_in_use() {
  static const Cpu cpu = [] {
    const Cpu found = detect_cpu();
    const char* wanted = std::getenv("SEAWALL_CPU");
    if (wanted == nullptr || *wanted == '\0') return found;
    const std::string word = wanted;
    for (const auto& [name, most] : {std::pair{"portable", Cpu::portable},
                                     {"avx2", Cpu::avx2},
                                     {"avx512", Cpu::avx512},
                                     {"avx512bf16", Cpu::avx512bf16}})
      if (word == name) return std::min(most, found);
    throw UsageError("SEAWALL_CPU: want portable, avx2, avx512 or avx512bf16, got '" + word + "'");
  }();
  return cpu;
}

}  // namespace seawall
