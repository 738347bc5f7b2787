#pragma once
// What training and generation compute on a device besides products: one operator of the dispatcher
// for each, `seawall::NAME`, which reads its tensors once. The host computes it by the row
// functions of rows/, a GPU by the same as kernels (kernels.hpp) or by plain ATen operators.
#include <cstdint>
#include <utility>

#include "seawall/core/tensor.hpp"
#include "seawall/device/rows/adamw.hpp"

namespace seawall::device {

/// Whether the operators take tensors like this one: on a device, fp32 or bf16.
bool takes(const Tensor& x);

/// One AdamW step of one tensor. Source: Loshchilov and Hutter 2019, algorithm 2.
struct AdamWStep {
  double lr = 0, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  std::int64_t updates = 1;  // this one included
};
rows::AdamWScalars scalars_of(const AdamWStep& step);

/// Tensors of one shape on one device, contiguous. weight, m and v have one type; gradient and
/// start have the same, or are bf16 if it is fp32.
struct AdamWTensors {
  Tensor weight, gradient, m, v, start;
  Tensor term;    // Kahan: bf16, what rounding lost; undefined elsewhere
  Tensor master;  // fp32, takes the new weight before it is rounded; may be undefined
};
/// Moves weight, moments, term and master in place. `guard`: what gradients are multiplied with,
/// and 0 where nothing may move; fp32 [2] on the device. Shapes: -> [2] fp64 on the device: stored
/// weights (with their terms) that changed, sum of (weight - start)^2.
Tensor adamw(const AdamWStep& step, const AdamWTensors& tensors, const Tensor& guard);
/// The same in plain ATen operators, of any type, on any device; without a `guard` gradients are
/// taken as they are.
Tensor plain_adamw(const AdamWStep& step, const AdamWTensors& tensors, const Tensor& guard);

/// RMSNorm over the last dimension, differentiable in both. If w has the type of x, the normed
/// value is rounded before it is multiplied; if w is fp32 and x is bf16, it is not. Shapes: x
/// [...,C], w [C]. Errors: RunError for a second derivative.
Tensor rms_norm(const Tensor& x, const Tensor& w, double eps);
/// Rotary positions, differentiable in x. Shapes: x [T,heads,D], cos and sin [T,1,D] -> as x.
/// Errors: as above.
Tensor rotary(const Tensor& x, const Tensor& cos, const Tensor& sin);
/// silu(gate) * up, or by GELU (tanh), differentiable. Keeps gate and up. Errors: as above.
Tensor gated(const Tensor& gate, const Tensor& up, bool gelu);

}  // namespace seawall::device
