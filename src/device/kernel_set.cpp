#include "device/kernel_set.hpp"

#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>

#include "seawall/core/error.hpp"
#include "seawall/core/notices.hpp"

namespace seawall::device {
namespace {

struct Known {
  std::unique_ptr<KernelSet> set;
  std::array<bool, kernel_words.size()> trusted{};
  KernelsInUse in_use;
};
std::mutex known_mutex;
std::map<c10::Device, std::unique_ptr<Known>, decltype([](const auto& a, const auto& b) {
           return std::pair(a.type(), a.index()) < std::pair(b.type(), b.index());
         })>
    known;
GpuLibraries libraries_in_use;

void compile_and_try(const c10::Device& device, Known& out) {
  const char* set = std::getenv("SEAWALL_GPU_KERNELS");
  const std::string wish = set == nullptr ? "" : set;
  if (!wish.empty() && wish != "on" && wish != "off")
    throw UsageError("SEAWALL_GPU_KERNELS: want on or off, got '" + wish + "'");
  if (wish == "off") {
    out.in_use.why_not_all = "SEAWALL_GPU_KERNELS=off";
    return;
  }
  try {
    out.set = std::make_unique<KernelSet>(device, libraries_in_use);
    std::string differ;
    out.trusted = try_kernels(*out.set, device, differ);
    if (!differ.empty())
      out.in_use.why_not_all = "on this device they do not compute what ATen does: " + differ;
  } catch (const RunError& error) {
    out.trusted = {};
    out.in_use.why_not_all = error.what();
  }
  for (std::size_t k = 0; k < kernel_words.size(); ++k)
    if (out.trusted[k]) out.in_use.names.emplace_back(kernel_words[k]);
  if (!out.in_use.why_not_all.empty())
    warn_once(device.str() + ": " +
              (out.in_use.names.empty() ? "our kernels are not used"
                                        : "some of our kernels are not used") +
              ", plain operators are slower: " + out.in_use.why_not_all);
}

const Known& known_of(const c10::Device& device) {
  const std::lock_guard lock(known_mutex);
  auto& mine = known[device];
  if (!mine) {
    auto made = std::make_unique<Known>();
    compile_and_try(device, *made);
    mine = std::move(made);
  }
  return *mine;
}

}  // namespace

KernelSet::KernelSet(const c10::Device& device, const GpuLibraries& libraries)
    : device_(device), driver_(libraries.driver) {
  const std::string architecture = driver_.architecture(device.index());
  try {
    module_ = driver_.load(device.index(), compiled_kernels(libraries, architecture, false));
  } catch (const RunError&) {  // what the cache has may be broken
    module_ = driver_.load(device.index(), compiled_kernels(libraries, architecture, true));
  }
}

void KernelSet::start(const std::string& name, long long blocks, void** arguments) {
  const c10::DeviceGuard here(device_);
  void* const stream =
      c10::impl::VirtualGuardImpl(device_.type()).getStream(device_).native_handle();
  driver_.launch(device_.index(), driver_.function(module_, name.c_str()), blocks, stream,
                 arguments);
}

KernelSet* kernels_for(const c10::Device& device, Kernel kernel) {
  const Known& known_there = known_of(device);
  return known_there.trusted[static_cast<std::size_t>(kernel)] ? known_there.set.get() : nullptr;
}

const KernelsInUse& kernels_in_use(const c10::Device& device) {
  static const KernelsInUse none;
  return device.is_cuda() || device.is_privateuseone() ? known_of(device).in_use : none;
}

void set_gpu_libraries(GpuLibraries libraries) {
  const std::lock_guard lock(known_mutex);
  libraries_in_use = std::move(libraries);
  known.clear();
}

}  // namespace seawall::device
