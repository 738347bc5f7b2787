#pragma once
// Booster: an alignment whose harmful loss would fall little in one step of an attack.
// Source: Huang et al. 2024, arXiv 2409.01586.
#include "seawall/policy/alignment.hpp"
#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// g_s + lambda (g_h(theta) - g_h(theta - alpha g_h / |g_h|)), first order; s are the stage's rows,
/// h harmful ones. Their code perturbs and restores by -= and +=; here weights come back from a
/// copy.
struct Booster {
  static constexpr std::string_view name = "booster";
  static constexpr std::string_view summary = "Aligns so that a harmful step would gain little.";
  static constexpr Hook hooks = Hook::before | Hook::before_step;
  static constexpr Need needs = Need::safe_data | Need::harmful_data;
  struct Options {
    double lambda = 5, alpha = 0.1;
    std::int64_t harmful = 200;  // the authors: 5,000, and as many safe rows
    AlignmentSpec stage;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.lambda, OptionInfo{"lambda", "weight of the difference", 0, 1e6});
      field(self.alpha, OptionInfo{"alpha", "length of the harmful step", 0, 1e3});
      field(self.harmful, OptionInfo{"harmful", "harmful rows of the defender", 1, 1e7});
      AlignmentSpec::visit(self.stage, field);
    }
  } options;

  std::vector<StagePlan> before(const Context& context, Rng& rng) {
    return safe_stage(name, options.stage, context, rng);
  }
  void before_step(Trainer& trainer, const Step&) {
    const Batch rows =
        trainer.next(trainer.rows(Pool::harmful, options.harmful), options.stage.batch_size);
    const auto loss = [&] { return trainer.pass(rows).loss.mean(); };
    const Tensors here = trainer.gradient(loss);
    const double length = norm(here);
    trainer.measure("harmful-norm", length);
    if (length == 0) return;
    Tensors there;
    {
      const Shifted moved(trainer.params(), here, -options.alpha / length);
      there = trainer.gradient(loss);
    }
    add_to_gradients(trainer.params(), here, options.lambda);
    add_to_gradients(trainer.params(), there, -options.lambda);
  }
};
static_assert(explain<Booster>());

}  // namespace seawall
