#include "seawall/model/runtime.hpp"

#include <ATen/Context.h>

#include <atomic>
#include <cstdlib>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace seawall {
namespace {
std::atomic<ComputePath> path_in_use{ComputePath::fused};
}

void tune_allocator() {
#if defined(__GLIBC__)
  constexpr int keep = 1 << 30;  // mallopt takes an int; 1 GiB is above any block of a 135 M model
  mallopt(M_MMAP_THRESHOLD, keep);
  mallopt(M_TRIM_THRESHOLD, keep);
  mallopt(M_TOP_PAD, 64 << 20);
#endif
  at::globalContext().setFlushDenormal(true);
}

void set_compute_path(ComputePath path) { path_in_use.store(path); }
ComputePath compute_path() { return path_in_use.load(); }

}  // namespace seawall
