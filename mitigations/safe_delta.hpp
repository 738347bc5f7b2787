#pragma once
// Safe Delta: of what fine-tuning changed, as much comes into the aligned weights as safe inputs
// allow. Source: Lu et al. 2025, arXiv 2505.12038, algorithm 1.
#include "seawall/policy/compensation.hpp"
#include "seawall/policy/matrix_inputs.hpp"
#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// After training, each matrix of the blocks is W0 with those entries of W that are affordable
/// (compensation.hpp, whose scale of s is that of the authors' code), and the columns after them
/// make up for it. H = 2/n X^T X of n safe rows at theta0. Computed in fp64. Deviations: X is of
/// the tokens that predict answers, the authors' of every token; they compensate within blocks of
/// 1,024 columns.
struct SafeDelta {
  static constexpr std::string_view name = "safe-delta";
  static constexpr std::string_view summary =
      "Keeps as much of the fine-tuning as safe inputs allow, after training.";
  static constexpr Hook hooks = Hook::on_start | Hook::on_finish;
  static constexpr Need needs = Need::safe_data | Need::start_weights;
  struct Options {
    double s = 0.1, damp = 0.01;  // the authors' scripts
    std::int64_t rows = 100;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.s, OptionInfo{"s", "how much change is kept", 0, 1e9});
      field(self.damp, OptionInfo{"damp", "of the mean diagonal, added to it", 1e-9, 1});
      field(self.rows, OptionInfo{"rows", "safe rows of the defender; 0: all", 0, 1e7});
    }
  } options;

  void on_start(Trainer& trainer) { want_whole_weights(trainer); }
  void on_finish(Trainer& trainer) {
    const Dataset& safe = trainer.rows(Pool::safe, options.rows);
    const auto outer = [](const Tensor& x) { return x.to(at::kDouble).t().mm(x.to(at::kDouble)); };
    double kept = 0, all = 0;
    for (const auto& [point, sum] : input_sums(trainer, safe, Theta::start, outer)) {
      const Tensor factor =
          inverse_factor(sum.mul(2.0 / static_cast<double>(safe.size())), options.damp);
      for (const Param& p : trainer.params()) {
        if (!reads(p.name, point)) continue;
        const Tensor start = p.start.to(at::kDouble), tuned = p.master.to(at::kDouble);
        const Tensor come = affordable(start, tuned, factor, options.s);
        p.master.copy_(compensated(start, tuned, come, factor));
        kept += come.sum().item<double>();
        all += static_cast<double>(come.numel());
      }
    }
    trainer.measure("kept", all == 0 ? 0 : kept / all);
  }
};
static_assert(explain<SafeDelta>());

}  // namespace seawall
