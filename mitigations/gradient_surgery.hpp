#pragma once
// Gradient surgery: the user's gradient loses what works against safe rows.
// Source: Yu et al. 2020 (arXiv 2001.06782), algorithm 1. Deviation: only the user's gradient is
// projected and stepped on; the paper projects each task's on each other one and sums all.
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/side_rows.hpp"

namespace seawall {

/// g -= <g, s>/||s||^2 s if <g, s> < 0, s the gradient of the loss on a batch of safe rows; one
/// inner product over all parameters. Measures it each step as `along`.
struct GradientSurgery {
  static constexpr std::string_view name = "gradient-surgery";
  static constexpr std::string_view summary = "Projects the gradient off what unlearns safe rows.";
  static constexpr Hook hooks = Hook::before_step;
  static constexpr Need needs = Need::safe_data;
  struct Options {
    std::int64_t rows = 100, batch = 10;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.rows, OptionInfo{"rows", "safe rows; 0: all there are", 0, 1e6});
      field(self.batch, OptionInfo{"batch", "safe rows per step", 1, 1e4});
    }
  } options;

  void before_step(Trainer& trainer, const Step&) {
    const Tensors s = trainer.gradient(
        [&] { return next_loss(trainer, Pool::safe, options.rows, options.batch); });
    trainer.measure("along", remove_conflict(trainer.params(), s));
  }
};
static_assert(explain<GradientSurgery>());

}  // namespace seawall
