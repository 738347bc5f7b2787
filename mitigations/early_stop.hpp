#pragma once
// Early stopping on the loss of safe rows: training ends when refusals become unlikely.
// Source: the usual early stopping (Prechelt 1998), on the safety loss instead of the user's.
#include <optional>

#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/side_rows.hpp"

namespace seawall {

/// Stops after the first step at which the mean loss on `rows` safe rows is more than `rise` above
/// what it was before training; that step is kept. Measures the loss as `safety`.
struct EarlyStop {
  static constexpr std::string_view name = "early-stop";
  static constexpr std::string_view summary = "Stops when safe answers become unlikely.";
  static constexpr Hook hooks = Hook::on_start | Hook::after_step;
  static constexpr Need needs = Need::safe_data;
  struct Options {
    double rise = 0.05;
    std::int64_t rows = 64, every = 1;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.rise,
            OptionInfo{"rise", "of the loss in nats per token that is too much", 0, 1e3});
      field(self.rows, OptionInfo{"rows", "safe rows", 1, 1e6});
      field(self.every, OptionInfo{"every", "steps between two looks", 1, 1e6});
    }
  } options;

  void on_start(Trainer& trainer) {
    batch = trainer.encode(trainer.rows(Pool::safe, options.rows));
    start = safety(trainer);
  }
  void after_step(Trainer& trainer, const Step& step) {
    if ((step.index + 1) % options.every != 0) return;
    const double now = safety(trainer);
    trainer.measure("safety", now);
    if (now > start + options.rise) trainer.stop("the loss on safe rows rose");
  }
  double safety(Trainer& trainer) const { return trainer.pass(batch).loss.mean().item<double>(); }

  Batch batch;
  double start = 0;
};
static_assert(explain<EarlyStop>());

}  // namespace seawall
