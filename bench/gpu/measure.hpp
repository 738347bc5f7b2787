#pragma once
// Times and memory of a device, and the line that says them.
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "seawall/core/tensor.hpp"

namespace seawall::bench {

inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline void wait_for(const at::Device& device) {
  if (!device.is_cpu())
    c10::impl::VirtualGuardImpl(device.type())
        .synchronizeDevice(std::max<c10::DeviceIndex>(device.index(), 0));
}

/// Places in the device's queue, and the times between them.
class Marks {
 public:
  explicit Marks(const at::Device& device) : device_(device) {}
  void mark() {
    clock_.push_back(now());
    if (!device_.is_cuda()) return;  // others compute at once
    events_.emplace_back(device_.type(), c10::EventFlag::BACKEND_DEFAULT);
    events_.back().record(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
  }
  /// Milliseconds from mark i to the next, once the device has passed both.
  double between(std::size_t i) const {
    return events_.empty() ? 1e3 * (clock_[i + 1] - clock_[i])
                           : events_[i].elapsedTime(events_[i + 1]);
  }

 private:
  at::Device device_;
  std::vector<double> clock_;
  std::vector<c10::Event> events_;
};

inline double median(std::vector<double> x) {
  std::sort(x.begin(), x.end());
  return x[x.size() / 2];
}

/// The most that tensors of the device took since `forget`, in GB; NaN if it does not say.
inline double peak_memory(const at::Device& device, bool forget) {
  auto* allocator = device.is_cpu() ? nullptr : c10::GetAllocator(device.type());
  auto* its = dynamic_cast<c10::DeviceAllocator*>(allocator);
  if (its == nullptr) return std::nan("");
  const auto index = std::max<c10::DeviceIndex>(device.index(), 0);
  const auto bytes = its->getDeviceStats(index).allocated_bytes[0].peak;
  if (forget) its->resetPeakStats(index);
  return bytes > 0 ? 1e-9 * static_cast<double>(bytes) : std::nan("");
}

inline void report(const std::string& figure,
                   const std::vector<std::pair<const char*, double>>& values) {
  std::printf("{\"figure\": \"%s\"", figure.c_str());
  for (const auto& [name, value] : values)
    if (std::isfinite(value)) std::printf(", \"%s\": %.8g", name, value);
  std::printf("}\n");
  std::fflush(stdout);
}

}  // namespace seawall::bench
