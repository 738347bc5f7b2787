#pragma once
// Who computes the operators: named here so that no linker leaves a file of theirs out.
#include <torch/library.h>

namespace seawall::device {

void add_host_kernels(torch::Library& library);
void add_plain_kernels(torch::Library& library);

}  // namespace seawall::device
