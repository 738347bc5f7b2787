#pragma once
// Weight drift (L2-SP): pulls the weights back to where the aligned model started.
// Source: Li, Grandvalet and Davoine 2018, "Explicit inductive bias for transfer learning", eq. 4.
#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/stack.h>

#include "seawall/policy/layer_weights.hpp"
#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// Coupled: the loss of a step gains lambda/2 * sum_i w_i |theta_i - theta0_i|^2. Decoupled: after
/// the optimizer, theta -= lr * lambda * w * (theta - theta0), untouched by Adam's scaling. With
/// LoRA the factors are what is pulled. Under pure bf16 a decoupled pull below 2^-9 of a weight
/// rounds away.
struct WeightDrift {
  static constexpr std::string_view name = "weight-drift";
  static constexpr std::string_view summary = "Pulls the weights to the aligned start (L2-SP).";
  static constexpr Hook hooks =
      Hook::on_start | Hook::penalty | Hook::before_step | Hook::after_step;
  static constexpr Need needs = Need::start_weights;
  struct Options {
    double lambda = 1e-2;
    std::string form = "coupled", layers;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.lambda, OptionInfo{"lambda", "strength of the pull", 0, 1e6});
      field(self.form, OptionInfo{.name = "form",
                                  .help = "in the loss, or after the optimizer",
                                  .choices = "coupled|decoupled"});
      field(self.layers, OptionInfo{"layers", "weights w_i by place, as embed=0,0-1=2,norm=0"});
    }
    void check() const { LayerWeights("weight-drift.layers", layers); }
  } options;
  Hook active() const {
    const Hook coupled = Hook::penalty | Hook::before_step;
    return Hook::on_start | (options.form == "coupled" ? coupled : Hook::after_step);
  }

  void on_start(ParamView params) {
    groups = LayerWeights("weight-drift.layers", options.layers).groups(params);
  }
  // Value and gradient apart: half of what autograd takes for the same, and no tensor is kept.
  Tensor penalty(ParamView params, const Step&) {
    Tensor sum;
    for (const auto& [weight, places] : groups) {
      std::vector<Tensor> squares;
      for (const auto i : places) {
        const Tensor drift = drift_of(params[i]).flatten();
        squares.push_back(drift.dot(drift));
      }
      const Tensor term = at::stack(squares).to(at::kFloat).sum().mul(options.lambda * weight / 2);
      sum = sum.defined() ? sum.add(term) : term;
    }
    return sum;
  }
  void before_step(ParamView params, const Step&) {
    for (const auto& [weight, places] : groups)
      for (const auto i : places)
        gradient_of(params[i]).add_(drift_of(params[i]), options.lambda * weight);
  }
  void after_step(ParamView params, const Step& step) {
    for (const auto& [weight, places] : groups)
      at::_foreach_lerp_(masters(params, places), starts(params, places),
                         step.lr * options.lambda * weight);
  }

  std::map<double, Places> groups;  // by w_i
};
static_assert(explain<WeightDrift>());

}  // namespace seawall
