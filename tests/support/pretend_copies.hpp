#pragma once
// Copies from the pretended device to the host that nothing waits for.
#include <ATen/core/Tensor.h>
#include <c10/core/Allocator.h>

#include <cstring>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

namespace seawall::pretend {

/// Memory of the host that a device may write to later.
struct Pinned final : c10::Allocator {
  c10::DataPtr allocate(std::size_t bytes) override {
    c10::DataPtr data = c10::GetAllocator(c10::kCPU)->allocate(bytes);
    const std::lock_guard lock(mutex);
    if (bytes > 0) held.insert(data.get());  // for good: an address may come again as it was
    return data;
  }
  c10::DeleterFnPtr raw_deleter() const override {
    return c10::GetAllocator(c10::kCPU)->raw_deleter();
  }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    std::memcpy(to, from, bytes);
  }
  bool holds(const void* at) {
    const std::lock_guard lock(mutex);
    return held.contains(at);
  }
  std::mutex mutex;
  std::set<const void*> held;
};
inline Pinned pinned;

inline std::mutex on_its_way_mutex;
inline std::vector<std::pair<at::Tensor, at::Tensor>> on_its_way;  // to, what

/// A copy without waiting is there once an event has been waited for, and not before.
inline void arrive() {
  const std::lock_guard lock(on_its_way_mutex);
  for (auto& [to, what] : on_its_way) to.copy_(what);
  on_its_way.clear();
}

}  // namespace seawall::pretend
