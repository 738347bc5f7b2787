#pragma once
// The text of kernels.cu and of the headers that it includes, put into the program by the build.
#include <span>

namespace seawall::device {

struct KernelSource {
  const char *name, *text;
};
/// kernels.cu, then its headers by the names it includes them by.
std::span<const KernelSource> kernel_sources();

}  // namespace seawall::device
