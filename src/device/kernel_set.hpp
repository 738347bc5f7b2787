#pragma once
// The kernels of one device, and which of them are trusted there.
#include <array>
#include <string>

#include "device/gpu_driver.hpp"
#include "seawall/core/tensor.hpp"
#include "seawall/device/kernels.hpp"

namespace seawall::device {

enum class Kernel { adamw, rms_norm, rotary, gate, merge };
inline constexpr std::array<const char*, 5> kernel_words{"adamw", "rms_norm", "rotary", "gate",
                                                         "merge"};

class KernelSet {
 public:
  /// Compiles for the device of this index and type, and loads. Errors: RunError.
  KernelSet(const c10::Device& device, const GpuLibraries& libraries);
  /// Starts `name` of kernels.cu on the device's stream, with arguments of the very types that it
  /// has there. Errors: RunError.
  template <class... P>
  void launch(const std::string& name, long long blocks, P... arguments) {
    void* list[] = {static_cast<void*>(&arguments)...};
    start(name, blocks, list);
  }

 private:
  void start(const std::string& name, long long blocks, void** arguments);
  c10::Device device_;
  GpuDriver driver_;
  void* module_ = nullptr;
};

/// The set of a device if it may be used for this: compiled and tried at the first call. Null
/// elsewhere.
KernelSet* kernels_for(const c10::Device& device, Kernel kernel);

/// Which of the set's kernels agree with their plain twins on its device; `differ`: those that do
/// not, by name.
std::array<bool, kernel_words.size()> try_kernels(KernelSet& set, const c10::Device& device,
                                                  std::string& differ);

/// For tests: other libraries, and nothing known of any device.
void set_gpu_libraries(GpuLibraries libraries);

}  // namespace seawall::device
