#pragma once
// Safe subspace: the gradient may not move along directions that safe rows depend on.
// Source: OGPSA (arXiv 2602.07892): 200 rows, renewed every 30 steps. Deviation: all parameters in
// one vector (there each on its own), safe rows (there general ones).
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/side_rows.hpp"
#include "seawall/policy/subspace.hpp"

namespace seawall {

/// g -= U U^T g, U the `rank` largest directions of the gradients of `rows` safe rows, one row
/// each. Measures the length of what is removed. Memory: `rows` + `rank` copies of the weights.
struct SafeSubspace {
  static constexpr std::string_view name = "safe-subspace";
  static constexpr std::string_view summary = "Projects the gradient out of that of safe rows.";
  static constexpr Hook hooks = Hook::on_start | Hook::before_step | Hook::state;
  static constexpr Need needs = Need::safe_data;
  struct Options {
    std::int64_t rank = 32, rows = 32, refresh = 30;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.rank, OptionInfo{"rank", "directions", 1, 1e4});
      field(self.rows, OptionInfo{"rows", "safe rows that they are taken from", 1, 1e4});
      field(self.refresh,
            OptionInfo{"refresh", "steps after which they are measured again; 0: never", 0, 1e9});
    }
  } options;

  void on_start(Trainer& trainer) { take(trainer); }
  void before_step(Trainer& trainer, const Step& step) {
    if (options.refresh > 0 && step.index > 0 && step.index % options.refresh == 0) take(trainer);
    const Tensor g = flat(gradients_of(trainer.params()));  // [P]
    const Tensor change = outside(g, basis.to(g.device())).sub_(g);
    trainer.measure("removed", change.norm().item<double>());
    add_to_gradients(trainer.params(), parts_of(change, trainer.params()));
  }
  void save(StateOut& out) const { out.tensor("basis", basis); }
  void load(StateIn& in) { basis = in.tensor("basis"); }

  void take(Trainer& trainer) {
    Tensors columns;
    for (std::int64_t row = 0; row < options.rows; ++row)
      columns.push_back(
          flat(trainer.gradient([&] { return next_loss(trainer, Pool::safe, options.rows, 1); })));
    basis = top_directions(at::stack(columns, 1), options.rank);
  }

  Tensor basis;  // [P,rank]
};
static_assert(explain<SafeSubspace>());

}  // namespace seawall
