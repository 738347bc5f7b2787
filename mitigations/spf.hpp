#pragma once
// SPF: where a weight's gradient works against safety, it loses the safety gradient's directions.
// Source: arXiv 2601.10141: one safe sample is enough, k = 10. Written from the paper's summary: a
// conflict is <G, G_s> < 0, for each weight on its own.
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/side_rows.hpp"
#include "seawall/policy/subspace.hpp"

namespace seawall {

/// Per weight: G -= U_k U_k^T G if <G, G_s> < 0, U_k the first k left singular vectors of the
/// gradient G_s of the loss on `rows` safe rows before training. Measures the conflicts. Memory:
/// a copy of the weights, and of k columns of each.
struct Spf {
  static constexpr std::string_view name = "spf";
  static constexpr std::string_view summary = "Projects conflicting gradients off safe directions.";
  static constexpr Hook hooks = Hook::on_start | Hook::before_step;
  static constexpr Need needs = Need::safe_data;
  struct Options {
    std::int64_t rank = 10, rows = 1;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.rank, OptionInfo{"rank", "k: directions per weight", 1, 1e4});
      field(self.rows, OptionInfo{"rows", "safe rows", 1, 1e4});
    }
  } options;

  void on_start(Trainer& trainer) {
    bases.clear();
    safe = trainer.gradient(
        [&] { return next_loss(trainer, Pool::safe, options.rows, options.rows); });
    for (const Tensor& g : safe) bases.push_back(top_directions(matrix_of(g), options.rank));
  }
  void before_step(Trainer& trainer, const Step&) {
    std::int64_t conflicts = 0;
    for (std::size_t i = 0; i < safe.size(); ++i) {
      const Tensor& gradient = gradient_of(trainer.params()[i]);
      const Tensor g = wide(gradient);
      if (g.mul(safe[i]).sum().item<double>() >= 0) continue;
      gradient.copy_(outside(matrix_of(g), bases[i]).view_as(g));
      ++conflicts;
    }
    trainer.measure("conflicts", static_cast<double>(conflicts));
  }

  Tensors safe, bases;  // G_s and U_k, in the order of the parameters
};
static_assert(explain<Spf>());

}  // namespace seawall
