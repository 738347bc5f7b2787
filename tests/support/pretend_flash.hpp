#pragma once
// Flash attention on the pretended device: what CUDA's kernels compute, and what they insist on.
// Read in PyTorch's flash_api.cpp.
#include <ATen/core/stack.h>

#include <cstddef>

namespace seawall::pretend {

/// The arguments of aten::_flash_attention_forward as tensors of the host, replaced by its results.
/// libtorch 2.15 has two more of them than 2.11.
void flash_forward(torch::jit::Stack& stack, std::size_t arguments);
/// The same of aten::_flash_attention_backward.
void flash_backward(torch::jit::Stack& stack, std::size_t arguments);

}  // namespace seawall::pretend
