#include "seawall/model/gemm.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "seawall/model/kernels.hpp"

namespace seawall::cpu {
namespace {

constexpr double worth_a_thread =
    2e6;  // operations below which another thread costs more than it brings

template <class Real>
void run(const kernels::Gemm<Real>& g) {
  static thread_local std::vector<Real> scratch;
  const auto& kernel = kernels::table<Real>();
  const auto size = static_cast<std::size_t>(kernel.gemm_scratch(g));
  if (scratch.size() < size) scratch.resize(size);
  kernel.gemm(g, scratch.data());
}

}  // namespace

template <class Real>
void gemm(bool transpose_a, bool transpose_b, Size s, View<const Real> a, View<const Real> b,
          View<Real> c, Store store) {
  const kernels::Gemm<Real> whole{a.data,   a.stride,    transpose_a, b.data,
                                  b.stride, transpose_b, c.data,      c.stride,
                                  s.m,      s.n,         s.k,         store == Store::add};
  const auto most = static_cast<std::int64_t>(2.0 * s.m * s.n * s.k / worth_a_thread);
  const auto threads =
      at::in_parallel_region() ? 1 : std::min<std::int64_t>(at::get_num_threads(), most);
  if (threads <= 1) return run(whole);
  // Threads share nothing but operands: columns are split where there are enough panels, else rows.
  const auto panel = kernels::table<Real>().panel, panels = (s.n + panel - 1) / panel;
  const bool columns = panels >= 2 * threads;
  at::parallel_for(0, threads, 1, [&](std::int64_t first, std::int64_t last) {
    for (auto t = first; t < last; ++t) {
      auto part = whole;
      if (columns) {
        const auto begin = panels * t / threads * panel,
                   end = std::min(panels * (t + 1) / threads * panel, s.n);
        part.b += transpose_b ? begin * b.stride : begin;
        part.c += begin;
        part.n = end - begin;
      } else {
        const auto begin = s.m * t / threads, end = s.m * (t + 1) / threads;
        part.a += transpose_a ? begin : begin * a.stride;
        part.c += begin * c.stride;
        part.m = end - begin;
      }
      if (part.m > 0 && part.n > 0) run(part);
    }
  });
}

template void gemm(bool, bool, Size, View<const float>, View<const float>, View<float>, Store);
template void gemm(bool, bool, Size, View<const double>, View<const double>, View<double>, Store);

}  // namespace seawall::cpu
