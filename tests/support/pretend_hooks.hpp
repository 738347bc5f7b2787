#pragma once
// The pretended device as libtorch's guards and hooks see it: one device, streams, a generator.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <utility>

#include "tests/support/pretend_copies.hpp"
#include "tests/support/pretend_graph.hpp"

namespace seawall::pretend {

struct Guard final : c10::impl::DeviceGuardImplInterface {
  inline static thread_local c10::Stream current{c10::Stream::DEFAULT, {c10::kPrivateUse1, 0}};
  c10::DeviceType type() const override { return c10::kPrivateUse1; }
  c10::Device exchangeDevice(c10::Device) const override { return {c10::kPrivateUse1, 0}; }
  c10::Device getDevice() const override { return {c10::kPrivateUse1, 0}; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device) const override { return current; }
  c10::Stream getDefaultStream(c10::Device d) const override {
    return c10::Stream(c10::Stream::DEFAULT, d);
  }
  c10::Stream exchangeStream(c10::Stream s) const override { return std::exchange(current, s); }
  c10::Stream getStreamFromGlobalPool(c10::Device d, bool) const override {
    return c10::Stream(c10::Stream::UNSAFE, d, 1);
  }
  void* getStreamNativeHandle(const c10::Stream s) const override {
    return reinterpret_cast<void*>(static_cast<std::uintptr_t>(s.id()));
  }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  void record(void**, const c10::Stream&, const c10::DeviceIndex,
              const c10::EventFlag) const override {}
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  void synchronizeEvent(void*) const override {
    refuse_while_capturing("a wait for an event");
    arrive();
  }
  void destroyEvent(void*, const c10::DeviceIndex) const noexcept override {}
  void synchronizeDevice(const c10::DeviceIndex) const override {
    refuse_while_capturing("a wait for the device");
  }
  void synchronizeStream(const c10::Stream&) const override {
    refuse_while_capturing("a wait for a stream");
  }
};

/// Draws by a generator of the CPU.
struct DeviceGenerator final : c10::GeneratorImpl {
  explicit DeviceGenerator(at::Generator from)
      : GeneratorImpl({c10::kPrivateUse1, 0}, c10::DispatchKeySet(c10::DispatchKey::PrivateUse1)),
        cpu(std::move(from)) {}
  void set_current_seed(std::uint64_t seed) override { cpu.set_current_seed(seed); }
  void set_offset(std::uint64_t) override {}
  std::uint64_t get_offset() const override { return 0; }
  std::uint64_t current_seed() const override { return cpu.current_seed(); }
  std::uint64_t seed() override { return cpu.seed(); }
  void set_state(const c10::TensorImpl& state) override {
    cpu.unsafeGetGeneratorImpl()->set_state(state);
  }
  c10::intrusive_ptr<c10::TensorImpl> get_state() const override {
    return cpu.unsafeGetGeneratorImpl()->get_state();
  }
  DeviceGenerator* clone_impl() const override { return new DeviceGenerator(cpu.clone()); }
  mutable at::Generator cpu;
};

struct Hooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
  c10::DeviceIndex getCurrentDevice() const override { return 0; }
  c10::Allocator* getPinnedMemoryAllocator() const override { return &pinned; }
  bool isPinnedPtr(const void* at) const override { return pinned.holds(at); }
  const at::Generator& getDefaultGenerator(c10::DeviceIndex) const override {
    static const at::Generator one =
        at::make_generator<DeviceGenerator>(at::detail::createCPUGenerator());
    return one;
  }
  at::Generator getNewGenerator(c10::DeviceIndex) const override {
    return at::make_generator<DeviceGenerator>(at::detail::createCPUGenerator());
  }
};

}  // namespace seawall::pretend
