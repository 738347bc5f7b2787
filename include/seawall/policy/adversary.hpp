#pragma once
// What a simulated attacker does between two steps of the defender.
#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <cstdint>
#include <functional>

#include "seawall/policy/params.hpp"
#include "seawall/policy/trainer.hpp"

namespace seawall {

/// AdamW (0.9, 0.999, 1e-8, no decay) on a copy: the weights stay, and `away` is how far the
/// attacker has come from them. Memory: three copies of the weights, and one while it asks.
class Adversary {
 public:
  Adversary(Trainer& trainer, double lr) : trainer_(trainer), lr_(lr) {
    for (const Param& p : trainer.params()) {
      const auto type = p.value.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
      away_.push_back(at::zeros_like(p.value.detach(), p.value.options().dtype(type)));
      away_.back().set_requires_grad(false);
      mean_.push_back(at::zeros_like(away_.back()));
      square_.push_back(at::zeros_like(away_.back()));
    }
  }
  /// The gradient of a loss where the attacker is.
  Tensors gradient(const std::function<Tensor()>& loss) const {
    const Shifted there(trainer_.params(), away_, 1);
    return trainer_.gradient(loss);
  }
  /// One step of the attacker down a loss.
  void step(const std::function<Tensor()>& loss) {
    const Tensors g = gradient(loss);
    at::NoGradGuard no_grad;
    ++steps_;
    const double first = 1 - std::pow(0.9, steps_), second = 1 - std::pow(0.999, steps_);
    for (std::size_t i = 0; i < g.size(); ++i) {
      mean_[i].mul_(0.9).add_(g[i], 0.1);
      square_[i].mul_(0.999).addcmul_(g[i], g[i], 0.001);
      away_[i].addcdiv_(mean_[i], square_[i].div(second).sqrt_().add_(1e-8), -lr_ / first);
    }
  }

 private:
  Trainer& trainer_;
  double lr_;
  std::int64_t steps_ = 0;
  Tensors away_, mean_, square_;
};

}  // namespace seawall
