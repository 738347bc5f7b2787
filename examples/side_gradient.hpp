#pragma once
// A mitigation that asks the model: at every step it takes out of the user's gradient what works
// against the gradient of a few safe rows (Yu et al. 2020, "Gradient surgery for multi-task
// learning", with one protected task).
#include "seawall/policy/mitigation.hpp"

namespace examples {

using namespace seawall;

struct SideGradient {
  static constexpr std::string_view name = "side-gradient";
  static constexpr std::string_view summary = "Takes out what works against a few safe rows.";
  static constexpr Hook hooks = Hook::before_step;
  static constexpr Need needs = Need::safe_data;
  struct Options {
    std::int64_t rows = 20, batch = 4;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.rows, OptionInfo{"rows", "safe rows, drawn once", 1, 1e6});
      field(self.batch, OptionInfo{"batch", "of them a step", 1, 1e4});
    }
  } options;

  void before_step(Trainer& trainer, const Step&) {
    const Batch batch = trainer.next(trainer.rows(Pool::safe, options.rows), options.batch);
    const Tensors safe = trainer.gradient([&] { return trainer.pass(batch).loss.mean(); });
    const double along = dot(gradients_of(trainer.params()), safe);
    trainer.measure("conflict", along < 0 ? 1 : 0);
    if (along < 0) add_to_gradients(trainer.params(), safe, -along / dot(safe, safe));
  }
};
static_assert(explain<SideGradient>());

}  // namespace examples
