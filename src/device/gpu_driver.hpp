#pragma once
// NVIDIA's driver and its compiler of kernels, opened when they are asked for: nothing links them.
#include <string>
#include <vector>

namespace seawall::device {

/// Where the two are; the names that libtorch's CUDA has opened them by.
struct GpuLibraries {
  std::string driver = "libcuda.so.1", compiler;  // compiler empty: NVRTC of CUDA 13 or 12
};

/// The machine code of our kernels (src/device/kernels.cu) for one architecture, "sm_90a". It is
/// kept in cache_folder("kernels") under a hash of the source, the architecture and the compiler's
/// version; if it is not there, or with `recompile`, it is compiled (about two seconds) and saved.
/// Errors: RunError with the compiler's words.
std::string compiled_kernels(const GpuLibraries& libraries, const std::string& architecture,
                             bool recompile);

/// The driver's functions; one object for each pair of libraries.
class GpuDriver {
 public:
  /// Errors: RunError if the library or one of its functions is missing.
  explicit GpuDriver(const std::string& library);
  /// "sm_90a" for compute capability 9.0. Errors: RunError, as from all below.
  std::string architecture(int device);
  /// Loads machine code on a device, for as long as the process lives.
  void* load(int device, const std::string& code);
  void* function(void* module, const char* name);
  /// Puts `blocks` blocks of 256 threads on the stream; returns at once. `parameters`: the address
  /// of each argument. Starts nothing for no blocks.
  void launch(int device, void* function, long long blocks, void* stream, void** parameters);

 private:
  void make_current(int device);
  struct Functions;
  const Functions* functions_;
  std::vector<void*> contexts_;  // of each device
};

}  // namespace seawall::device
