#include "model/gemm.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "seawall/model/kernels.hpp"

namespace seawall::cpu {
namespace {

constexpr double worth_a_thread =
    2e6;  // operations below which another thread costs more than it brings

// Rounding or converting a value takes about 0.2 ns; starting a thread about 2 us.
constexpr std::int64_t values_worth_a_thread = 1 << 14;
// Values of a weight's gradient that are summed in fp32 before they are rounded.
constexpr std::int64_t rounded_at_once = 1 << 21;

/// Scratch of one thread, kept between calls.
float* scratch_of(std::vector<float>& memory, std::int64_t size) {
  if (static_cast<std::int64_t>(memory.size()) < size) memory.resize(size);
  return memory.data();
}

template <class Real, class Right>
void run(const kernels::Gemm<Real, Right>& g, bool bf16_values) {
  static thread_local std::vector<Real> scratch;
  auto with = [&](auto size, auto gemm) {
    const auto n = static_cast<std::size_t>(size(g));
    if (scratch.size() < n) scratch.resize(n);
    gemm(g, scratch.data());
  };
  if constexpr (is_narrow<Real, Right>) {
    with(kernels::bf16_table().gemm_scratch, kernels::bf16_table().gemm);
  } else {
    if constexpr (std::is_same_v<Real, float>)
      if (bf16_values)
        return with(kernels::bf16_table().values_scratch, kernels::bf16_table().values_gemm);
    with(kernels::table<Real>().gemm_scratch, kernels::table<Real>().gemm);
  }
}

/// Threads share nothing but operands: columns are split where there are enough panels, else rows.
template <class Real, class Right>
void run_on_threads(const kernels::Gemm<Real, Right>& whole, bool bf16_values = false) {
  const auto m = whole.m, n = whole.n;
  const auto most = static_cast<std::int64_t>(2.0 * m * n * whole.k / worth_a_thread);
  const auto threads =
      at::in_parallel_region() ? 1 : std::min<std::int64_t>(at::get_num_threads(), most);
  if (threads <= 1) return run(whole, bf16_values);
  const auto panel = kernels::table<Real>().panel, panels = (n + panel - 1) / panel;
  const bool columns = panels >= 2 * threads;
  at::parallel_for(0, threads, 1, [&](std::int64_t first, std::int64_t last) {
    for (auto t = first; t < last; ++t) {
      auto part = whole;
      if (columns) {
        const auto begin = panels * t / threads * panel,
                   end = std::min(panels * (t + 1) / threads * panel, n);
        part.b += part.b_transposed ? begin * part.b_stride : begin;
        part.c += begin;
        part.n = end - begin;
      } else {
        const auto begin = m * t / threads, end = m * (t + 1) / threads;
        part.a += part.a_transposed ? begin : begin * part.a_stride;
        part.c += begin * part.c_stride;
        part.m = end - begin;
      }
      if (part.m > 0 && part.n > 0) run(part, bf16_values);
    }
  });
}

template <class Real, class Right>
void product(bool transpose_a, bool transpose_b, Size s, View<const Real> a, View<const Right> b,
             View<Real> c, Store store) {
  run_on_threads<Real, Right>({a.data, a.stride, transpose_a, b.data, b.stride, transpose_b, c.data,
                               c.stride, s.m, s.n, s.k, store == Store::add});
}

}  // namespace

template <class Real>
void gemm(bool transpose_a, bool transpose_b, Size s, View<const Real> a, View<const Real> b,
          View<Real> c, Store store) {
  product<Real, Real>(transpose_a, transpose_b, s, a, b, c, store);
}
template <class Real>
void gemm(bool transpose_a, bool transpose_b, Size s, View<const Real> a, View<const Bf16> b,
          View<Real> c, Store store) {
  product<Real, Bf16>(transpose_a, transpose_b, s, a, b, c, store);
}

void round_bf16(float* x, std::int64_t n) {
  at::parallel_for(0, n, values_worth_a_thread, [&](std::int64_t begin, std::int64_t end) {
    kernels::bf16_table().round(x + begin, end - begin);
  });
}
void widen_bf16(float* y, const Bf16* x, std::int64_t n) {
  at::parallel_for(0, n, values_worth_a_thread, [&](std::int64_t begin, std::int64_t end) {
    kernels::bf16_table().widen(y + begin, x + begin, end - begin);
  });
}
void narrow_bf16(Bf16* y, const float* x, std::int64_t n) {
  at::parallel_for(0, n, values_worth_a_thread, [&](std::int64_t begin, std::int64_t end) {
    kernels::bf16_table().narrow(y + begin, x + begin, end - begin);
  });
}

void grad_weight_bf16(Size s, View<const float> dy, View<const float> x, Bf16* dw, Store store) {
  static thread_local std::vector<float> memory;
  const auto rows =
      std::clamp<std::int64_t>(rounded_at_once / s.k, 64, std::max(s.n, std::int64_t{64}));
  float* const sums = scratch_of(memory, std::min(rows, s.n) * s.k);
  for (std::int64_t begin = 0; begin < s.n; begin += rows) {
    const auto count = std::min(rows, s.n - begin);
    Bf16* const to = dw + begin * s.k;
    if (store == Store::add) widen_bf16(sums, to, count * s.k);
    run_on_threads<float, float>({dy.data + begin, dy.stride, true, x.data, x.stride, false, sums,
                                  s.k, count, s.k, s.m, store == Store::add},
                                 true);
    narrow_bf16(to, sums, count * s.k);
  }
}

template void gemm(bool, bool, Size, View<const float>, View<const float>, View<float>, Store);
template void gemm(bool, bool, Size, View<const double>, View<const double>, View<double>, Store);
template void gemm(bool, bool, Size, View<const float>, View<const Bf16>, View<float>, Store);

}  // namespace seawall::cpu
