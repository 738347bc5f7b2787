#pragma once
// Our own kernels on a GPU: compiled when a device is first used, and tried there before they are
// trusted.
#include <string>
#include <vector>

#include "seawall/core/tensor.hpp"

namespace seawall::device {

/// Which operators a device computes by our kernels.
struct KernelsInUse {
  std::vector<std::string> names;  // of "adamw", "rms_norm", "rotary", "gate", "merge"
  std::string why_not_all;         // a line where some are left to plain operators; else empty
};
/// At the first call for a device the kernels are compiled for it (two seconds, or from the cache)
/// and each is compared on it with plain ATen; one that differs, or cannot be had, is not used: a
/// wrong kernel costs speed and no result. With SEAWALL_GPU_KERNELS=off none is. On the CPU there
/// are none. Thread-safe. Errors: UsageError if that variable is neither on nor off.
const KernelsInUse& kernels_in_use(const c10::Device& device);

}  // namespace seawall::device
