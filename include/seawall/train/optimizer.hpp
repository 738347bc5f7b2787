#pragma once
// AdamW over weights of any precision policy, with what each step did to them.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "seawall/core/tensor.hpp"
#include "seawall/device/operators.hpp"
#include "seawall/train/adam_kernels.hpp"
#include "seawall/train/precision.hpp"

namespace seawall {

/// Defaults: Qi et al. 2023, the authors' Llama-2 code.
struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 0;  // decoupled: w *= 1 - lr * weight_decay
  /// Moments stay in the host's memory, pinned, and a tensor's pass through the weights' device
  /// while it is updated. The same bits; no difference for weights on the CPU.
  bool moments_on_host = false;
  /// Errors: UsageError naming the field.
  void check() const;
};

/// What one step did to the stored weights.
struct Movement {
  double moved = 0;                     // fraction of trained weights whose stored value changed
  double drift = 0;                     // L2 norm of theta - theta0
  std::vector<double> params;           // the same a trained parameter
  std::vector<double> counts, squares;  // that both are made of, a trained parameter each
};
/// From how many weights of each parameter moved, its squared drift, and the weights in all.
Movement movement_of(std::vector<double> counts, std::vector<double> squares, std::int64_t weights);

/// Global gradient norm and its parts.
struct GradientNorm {
  double norm = 0;              // L2 over all trained parameters
  std::vector<double> squares;  // a trained parameter
};

/// AdamW. fp32 and bf16 weights on a CPU with AVX2 take one pass of ours that also counts what
/// moved and how far from theta0; in fp32 its bits equal `at::_fused_adamw_`, which everything else
/// goes through. Sums do not depend on the number of threads. Source: Loshchilov and Hutter 2019,
/// algorithm 2; Kingma and Ba 2015.
class AdamW {
 public:
  AdamW(TrainedWeights& weights, AdamWOptions options);

  /// Of the gradients as they are, NaN or Inf where one is.
  GradientNorm gradient_norm() const;
  /// Scales what the next step reads so that the global norm is at most `max_norm`. Source: Pascanu
  /// et al. 2013, algorithm 1.
  void clip(double norm, double max_norm);
  /// One update at rate `lr`, gradients as they are in Param::value. Masters move; values follow
  /// with TrainedWeights::publish, or at once where there is no master.
  Movement step(double lr);
  /// Copies the stored weights for `measure`, where something besides the optimizer moves them.
  void remember();
  /// What happened since `remember`.
  Movement measure();
  /// Drift alone, of the weights as they now are.
  Movement drift() const;

  /// The same for weights on a device, without waiting for it. `guard` as device::adamw has it.
  /// Shapes: -> [n] fp32; [n,2] fp64, to be read by `norm_of` and `movement_of` on the host.
  Tensor gradient_norms() const;
  Tensor step_there(double lr, const Tensor& guard);
  /// Its parts, for a gradient at a time: the step, then each weight once. Shapes: -> [2] fp64.
  void begin_there();
  Tensor step_tensor(std::size_t i, double lr, const Tensor& guard);
  GradientNorm norm_of(const double* norms) const;
  Movement movement_of(const double* facts) const;
  /// The last step moved nothing: it does not count.
  void take_back() { --updates_; }

  std::int64_t updates() const { return updates_; }
  /// Moments under `exp_avg.NAME` and `exp_avg_sq.NAME`.
  void save(NamedTensors& out) const;
  /// Errors: DataError naming the tensor that is missing or differs.
  void load(const NamedTensors& saved, std::int64_t updates);

 private:
  bool moves_bf16() const;
  bool one_pass() const;
  bool carries_moments() const;  // between host and device
  Movement step_one_pass(double lr);
  kernels::Moved step_one(const kernels::AdamScalars& scalars, std::size_t i);
  Movement step_fused(double lr);
  Tensor step_tensors(double lr, const Tensor& guard);
  device::AdamWStep step_of(double lr) const;
  /// Weights as they were, one at a time.
  Movement moved_since(const std::function<Tensor(std::size_t)>& before) const;

  TrainedWeights& weights_;
  AdamWOptions options_;
  std::vector<Tensor> first_,
      second_;  // moments, in the type of the master (bf16 under pure-bf16 and Kahan)
  std::vector<Tensor> before_;  // kept between steps once `remember` was used
  std::int64_t updates_ = 0;
  double grad_scale_ = 1;
};

}  // namespace seawall
