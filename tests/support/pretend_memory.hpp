#pragma once
// Memory of the pretended device, and the way to the values of its tensors.
#include <ATen/ATen.h>
#include <ATen/EmptyTensor.h>
#include <c10/core/CachingDeviceAllocator.h>

#include <cstring>

#include "tests/support/pretend_graph.hpp"
#include "tests/support/pretend_heap.hpp"

namespace seawall::pretend {

using at::Tensor;
inline constexpr auto key = c10::DispatchKey::PrivateUse1;
inline bool counting = false;  // what is larger than `small` is not computed
inline std::size_t small = 0;

struct Memory final : c10::DeviceAllocator {
  c10::DataPtr allocate(std::size_t bytes) override {
    const c10::Device where(c10::kPrivateUse1, 0);
    if (bytes == 0) return {nullptr, nullptr, &drop, where};
    void* at = heap().take(bytes);
    if (auto* graph = capturing()) graph->allocated(at, bytes);
    if (!counting)
      std::memset(shadow(at), 0xff, bytes);  // NaN in every floating type, -1 in integers
    else if (bytes <= small)
      std::memset(shadow(at), 0, bytes);
    return {at, at, &drop, where};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &drop; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    if (!counting || bytes <= small) std::memcpy(shadow(to), shadow(from), bytes);
  }
  bool initialized() override { return true; }
  void emptyCache(c10::MempoolId_t) override {}
  void recordStream(const c10::DataPtr&, c10::Stream) override {}
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex) override { return {}; }
  void resetAccumulatedStats(c10::DeviceIndex) override {}
  void resetPeakStats(c10::DeviceIndex) override {}
  std::pair<std::size_t, std::size_t> getMemoryInfo(c10::DeviceIndex) override {
    return {heap().memory - heap().wanted, heap().memory};
  }
  static void drop(void* at) {
    if (at == nullptr) return;
    if (auto* graph = capturing(); graph != nullptr && graph->keeps(at)) return;
    heap().give(at);
  }
};
inline Memory memory;

inline bool on_device(const Tensor& t) {
  return t.defined() && t.device().type() == c10::kPrivateUse1;
}
inline std::int64_t bytes_of(const Tensor& t) {
  if (!t.defined() || t.numel() == 0) return 0;
  auto bytes = static_cast<std::int64_t>(t.element_size());
  for (std::int64_t d = 0; d < t.dim(); ++d)
    if (t.stride(d) != 0) bytes *= t.size(d);  // what is expanded is read once
  return bytes;
}

/// The same values as a tensor of the CPU.
inline Tensor values_of(const Tensor& t) {
  const auto options = t.options().device(at::kCPU).requires_grad(false);
  if (t.numel() == 0) return at::empty_strided(t.sizes(), t.strides(), options);
  return at::from_blob(shadow(t.const_data_ptr()), t.sizes(), t.strides(), options);
}

inline Tensor empty_strided(at::IntArrayRef size, at::IntArrayRef stride, at::ScalarType type) {
  return at::detail::empty_strided_generic(size, stride, &memory, c10::DispatchKeySet(key), type);
}

inline Tensor to_device(const Tensor& t) {
  Tensor out = empty_strided(t.sizes(), t.strides(), t.scalar_type());
  if (t.is_meta() && out.nbytes() <= small)
    values_of(out).fill_(1);
  else if (!t.is_meta() && t.numel() > 0)
    values_of(out).copy_(t);
  return out;
}

}  // namespace seawall::pretend
