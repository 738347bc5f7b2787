#pragma once
// Who computes the operators: named here so that no linker leaves a file of theirs out.
#include <torch/library.h>

#include <optional>
#include <tuple>

#include "device/kernel_set.hpp"
#include "seawall/device/operators.hpp"

namespace seawall::device {

/// By row functions on the host.
void add_host_kernels(torch::Library& library);
/// By our kernels where these are trusted and sizes allow it, else by plain operators.
void add_gpu_kernels(torch::Library& library);

/// Plain ATen operators: the twins of the kernels. Arguments as the dispatcher has them.
namespace plain {
std::tuple<Tensor, Tensor> rms_norm(const Tensor& x, const Tensor& w, double eps);
std::tuple<Tensor, Tensor> rms_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& w,
                                             const Tensor& inverse, bool of_weight);
Tensor rotary(const Tensor& x, const Tensor& cos, const Tensor& sin, double turn);
Tensor gated(const Tensor& gate, const Tensor& up, bool gelu);
std::tuple<Tensor, Tensor> gated_backward(const Tensor& dy, const Tensor& gate, const Tensor& up,
                                          bool gelu);
Tensor merge_attention(Tensor& out, const Tensor& lse, const Tensor& other,
                       const Tensor& other_lse);
}  // namespace plain

/// The same by kernels of `set`; nothing where sizes or types do not fit them.
namespace launched {
std::optional<Tensor> adamw(KernelSet& set, const AdamWStep& step, const AdamWTensors& tensors,
                            const Tensor& guard);
std::optional<std::tuple<Tensor, Tensor>> rms_norm(KernelSet& set, const Tensor& x, const Tensor& w,
                                                   double eps);
std::optional<std::tuple<Tensor, Tensor>> rms_norm_backward(KernelSet& set, const Tensor& dy,
                                                            const Tensor& x, const Tensor& w,
                                                            const Tensor& inverse, bool of_weight);
std::optional<Tensor> rotary(KernelSet& set, const Tensor& x, const Tensor& cos, const Tensor& sin,
                             double turn);
std::optional<Tensor> gated(KernelSet& set, const Tensor& gate, const Tensor& up, bool gelu);
std::optional<std::tuple<Tensor, Tensor>> gated_backward(KernelSet& set, const Tensor& dy,
                                                         const Tensor& gate, const Tensor& up,
                                                         bool gelu);
std::optional<Tensor> merge_attention(KernelSet& set, Tensor& out, const Tensor& lse,
                                      const Tensor& other, const Tensor& other_lse);
}  // namespace launched

}  // namespace seawall::device
