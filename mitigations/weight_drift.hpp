#pragma once
// Weight drift (L2-SP): pulls the weights back to where the aligned model started.
// Source: Li, Grandvalet and Davoine 2018, "Explicit inductive bias for transfer learning", eq. 4.
#include <ATen/ops/_foreach_lerp.h>

#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/place_factors.hpp"
#include "seawall/policy/products.hpp"

namespace seawall {

/// Coupled: the loss of a step gains lambda/2 * sum_i w_i |theta_i - theta0_i|^2. Decoupled: after
/// the optimizer, theta -= lr * lambda * w * (theta - theta0), untouched by Adam's scaling. Under
/// LoRA theta is the product s B A, so that the same lambda means what it means in full
/// fine-tuning, or, with `of factors`, A and B themselves. A product is pulled back by its B (it
/// starts at zero; an adapter that is trained on, by both factors). Under pure bf16 a decoupled
/// pull below 2^-9 of a weight rounds away.
struct WeightDrift {
  static constexpr std::string_view name = "weight-drift";
  static constexpr std::string_view summary = "Pulls the weights to the aligned start (L2-SP).";
  static constexpr Hook hooks =
      Hook::on_start | Hook::penalty | Hook::before_step | Hook::after_step;
  static constexpr Need needs = Need::start_weights;
  static constexpr bool elementwise = true;
  struct Options {
    double lambda = 1e-2;
    std::string form = "coupled", of = "product", layers;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.lambda, OptionInfo{"lambda", "strength of the pull", 0, 1e6});
      field(self.form, OptionInfo{.name = "form",
                                  .help = "in the loss, or after the optimizer",
                                  .choices = "coupled|decoupled"});
      field(self.of, OptionInfo{.name = "of",
                                .help = "what is pulled under LoRA; no difference without",
                                .choices = "product|factors"});
      field(self.layers, OptionInfo{"layers", "weights w_i by place, as embed=0,0-1=2,norm=0"});
    }
    void check() const { PlaceFactors("weight-drift.layers", layers); }
  } options;
  Hook active() const {
    const Hook coupled = Hook::penalty | Hook::before_step;
    return Hook::on_start | (options.form == "coupled" ? coupled : Hook::after_step);
  }

  void on_start(Trainer& trainer) {
    ParamView params = trainer.params();
    const PlaceFactors weights("weight-drift.layers", options.layers);
    groups = drift_groups(weights.groups(params), params, options.of == "product");
  }
  // Value and gradient apart: half of what autograd takes for the same, and no tensor is kept.
  Tensor penalty(Trainer& trainer, const Step&) {
    Tensor sum;
    for (const auto& group : groups) {
      const Tensor term =
          drift_square(trainer.params(), group).mul(options.lambda * group.weight / 2);
      sum = sum.defined() ? sum.add(term) : term;
    }
    return sum;
  }
  void before_step(Trainer& trainer, const Step&) {
    for (const auto& group : groups)
      add_drift_gradient(trainer.params(), group, options.lambda * group.weight);
  }
  void after_step(Trainer& trainer, const Step& step) {
    ParamView params = trainer.params();
    for (const auto& group : groups)
      at::_foreach_lerp_(masters(params, group.places), starts(params, group.places),
                         step.lr * options.lambda * group.weight);
  }

  std::vector<DriftGroup> groups;  // by w_i
};
static_assert(explain<WeightDrift>());

}  // namespace seawall
