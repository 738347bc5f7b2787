#pragma once
// What this machine can do at most, measured in the same run, so that a benchmark says its share.
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstring>

namespace seawall::bench {

inline double seconds_of(const auto& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Best of seven sgemm 1536 x 1536 x 1536 on all threads. Units: FLOP/s.
inline double gemm_peak() {
  static const double peak = [] {
    constexpr std::int64_t n = 1536;
    const auto a = at::randn({n, n}), b = at::randn({n, n});
    auto c = at::empty({n, n});
    at::mm_out(c, a, b);
    double best = 1e9;
    for (int i = 0; i < 7; ++i) best = std::min(best, seconds_of([&] { at::mm_out(c, a, b); }));
    return 2.0 * n * n * n / best;
  }();
  return peak;
}

/// Best of five copies of 128 MiB on all threads, read and written bytes counted. Units: bytes/s.
inline double memory_peak() {
  static const double peak = [] {
    constexpr std::int64_t bytes = std::int64_t{128} << 20;
    const auto from = at::randn({bytes / 4});
    auto to = at::empty({bytes / 4});
    auto* target = static_cast<char*>(to.mutable_data_ptr());
    const auto* source = static_cast<const char*>(from.const_data_ptr());
    double best = 1e9;
    for (int i = 0; i < 6; ++i)
      best = std::min(best, seconds_of([&] {
                        at::parallel_for(0, bytes, 1 << 22, [&](std::int64_t b, std::int64_t e) {
                          std::memcpy(target + b, source + b, static_cast<std::size_t>(e - b));
                        });
                      }));
    return 2.0 * bytes / best;
  }();
  return peak;
}

/// Runs the iterations of a benchmark under its own clock, so that a share can be computed.
class Timer {
 public:
  explicit Timer(benchmark::State& state) : state_(state) {}
  /// Times one iteration.
  void operator()(const auto& work) {
    const double seconds = seconds_of(work);
    state_.SetIterationTime(seconds);
    total_ += seconds;
    ++count_;
  }
  /// `flop` an iteration, as GF/s and as share of the GEMM peak.
  void report_flops(double flop) const {
    rate("GF/s", flop / 1e9);
    rate("of_gemm", flop / gemm_peak());
  }
  /// `bytes` read and written an iteration, as GB/s and as share of the memory peak.
  void report_bytes(double bytes) const {
    rate("GB/s", bytes / 1e9);
    rate("of_memory", bytes / memory_peak());
  }
  void rate(const char* name, double an_iteration) const {
    state_.counters[name] = an_iteration * static_cast<double>(count_) / total_;
  }

 private:
  benchmark::State& state_;
  double total_ = 0;
  std::int64_t count_ = 0;
};

}  // namespace seawall::bench
