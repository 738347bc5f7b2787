#include "seawall/model/runtime.hpp"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <dlfcn.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace seawall {
namespace {
std::atomic<ComputePath> path_in_use{ComputePath::fused};
std::atomic<bool> checkpoints_activations{false};
}  // namespace

void tune_allocator() {
#if defined(__GLIBC__)
  constexpr int keep = 1 << 30;  // mallopt takes an int; 1 GiB is above any block of a 135 M model
  mallopt(M_MMAP_THRESHOLD, keep);
  mallopt(M_TRIM_THRESHOLD, keep);
  mallopt(M_TOP_PAD, 64 << 20);
#endif
  at::globalContext().setFlushDenormal(true);
}

std::int64_t peak_memory_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) * 1024;
  return 0;
}

void reset_peak_memory() { std::ofstream("/proc/self/clear_refs") << "5"; }

bool load_cuda(std::string& why) {
  static void* const library = [] {
    // Read when libtorch_cuda.so starts; what the user has set stays. Memory that grows in place
    // leaves no gaps between training and generation; one fixed workspace makes cuBLAS's sums
    // repeat.
    if (std::getenv("PYTORCH_CUDA_ALLOC_CONF") == nullptr)
      setenv("PYTORCH_ALLOC_CONF", "expandable_segments:True", 0);
    setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
    return dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL);
  }();
  static const std::string error = library == nullptr ? dlerror() : "";
  if (library == nullptr) {
    why = "libtorch_cuda.so cannot be loaded (" + error +
          "); `cmake/setup torch-cuda` fetches what it needs, or give a CUDA libtorch with "
          "TORCH_ROOT=";
    return false;
  }
  if (!at::detail::getCUDAHooks().hasCUDART()) {  // hasCUDA is also false where there is no GPU
    why =
        "libtorch was asked for a device before libtorch_cuda.so was loaded, and does not look "
        "again; load it first in the program";
    return false;
  }
  if (at::detail::getCUDAHooks().deviceCount() == 0) {
    why =
        "libtorch finds no CUDA device (is the NVIDIA driver there, and does nvidia-smi see a "
        "GPU?)";
    return false;
  }
  // Others report that cuDNN's attention plans 0.4 to 1 s for every new shape (FunASR #3704, sglang
  // #4650) and gives NaN with masks (pytorch #196678, cudnn-frontend #1072).
  at::globalContext().setSDPUseCuDNN(false);
  // Sums of a product that is split are added in fp32, and rounded once.
  at::globalContext().setAllowBF16ReductionCuBLAS(false);
  return true;
}

void set_compute_path(ComputePath path) { path_in_use.store(path); }
ComputePath compute_path() { return path_in_use.load(); }
void set_activation_checkpointing(bool on) { checkpoints_activations.store(on); }
bool activation_checkpointing() { return checkpoints_activations.load(); }

}  // namespace seawall
