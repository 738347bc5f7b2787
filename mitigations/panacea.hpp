#pragma once
// Panacea: fine-tuning, and at its end a step that harmful loss resists most.
// Source: Wang et al. 2025, arXiv 2501.18100.
#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// g_f - lambda (g_h(theta + eps) - g_h(theta)), eps = rho g_h / |g_h|, h harmful rows, f the
/// user's; what is shipped is theta + eps, eps the last step's. Their code ends in a NameError at
/// step 1; this follows the paper.
struct Panacea {
  static constexpr std::string_view name = "panacea";
  static constexpr std::string_view summary = "Ships weights moved up the harmful loss.";
  static constexpr Hook hooks = Hook::before_step | Hook::on_finish;
  static constexpr Need needs = Need::harmful_data;
  struct Options {
    double rho = 1, lambda = 1e-3;
    std::int64_t harmful = 100, batch = 10;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.rho, OptionInfo{"rho", "length of the perturbation", 0, 1e6});
      field(self.lambda, OptionInfo{"lambda", "weight of what the perturbation gains", 0, 1e6});
      field(self.harmful, OptionInfo{"harmful", "harmful rows of the defender", 1, 1e7});
      field(self.batch, OptionInfo{"batch", "of them per step", 1, 65536});
    }
  } options;

  void before_step(Trainer& trainer, const Step&) {
    const Batch rows = trainer.next(trainer.rows(Pool::harmful, options.harmful), options.batch);
    const auto loss = [&] { return trainer.pass(rows).loss.mean(); };
    up = trainer.gradient(loss);
    const double length = norm(up);
    trainer.measure("harmful-norm", length);
    scale = length > 0 ? options.rho / length : 0;
    Tensors there;
    {
      const Shifted moved(trainer.params(), up, scale);
      there = trainer.gradient(loss);
    }
    add_to_gradients(trainer.params(), there, -options.lambda);
    add_to_gradients(trainer.params(), up, options.lambda);
  }
  void on_finish(Trainer& trainer) {
    for (std::size_t i = 0; i < up.size(); ++i) trainer.params()[i].master.add_(up[i], scale);
  }

  Tensors up;  // g_h of the last step; no checkpoint comes between that and on_finish
  double scale = 0;
};
static_assert(explain<Panacea>());

}  // namespace seawall
