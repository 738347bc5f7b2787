#pragma once
// Lisa: steps on the user's rows and on safe rows in turn, each held near the other's result.
// Source: Huang et al. 2024 (arXiv 2405.18641), algorithm 1. Deviations: the user's steps come
// first and are held by nothing until the first safe ones; both share AdamW's moments.
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/side_rows.hpp"

namespace seawall {

/// After every k2 steps on L + rho/2 ||theta - w_al||^2 come k1 on s + rho/2 ||theta - w_ft||^2,
/// s the loss on safe rows; w_ft and w_al are the weights at the end of the phase before. Memory:
/// two copies of the weights.
struct Lisa {
  static constexpr std::string_view name = "lisa";
  static constexpr std::string_view summary = "Takes turns between the user's rows and safe rows.";
  static constexpr Hook hooks = Hook::on_start | Hook::penalty | Hook::after_step | Hook::state;
  static constexpr Need needs = Need::safe_data;
  struct Options {
    std::int64_t k1 = 100, k2 = 900, rows = 0, batch = 5;
    double rho = 1;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.k1, OptionInfo{"k1", "steps on safe rows in turn", 1, 1e6});
      field(self.k2, OptionInfo{"k2", "steps on the user's rows in turn", 1, 1e6});
      field(self.rows, OptionInfo{"rows", "safe rows; 0: all there are", 0, 1e6});
      field(self.batch, OptionInfo{"batch", "safe rows per step", 1, 1e4});
      field(self.rho, OptionInfo{"rho", "strength of the pull to the other phase", 0, 1e6});
    }
  } options;

  void on_start(Trainer&) { aligned.clear(); }
  Tensor penalty(Trainer& trainer, const Step& step) {
    if (step.total < options.k2)
      throw UsageError("lisa.k2: the run has " + std::to_string(step.total) +
                       " steps, so none on safe rows would come; give a smaller k2");
    return aligned.empty() ? Tensor() : near(trainer, aligned);
  }
  void after_step(Trainer& trainer, const Step& step) {
    if ((step.index + 1) % options.k2 != 0) return;
    const Tensors tuned = now(trainer);
    for (std::int64_t k = 0; k < options.k1; ++k)
      trainer.step([&] {
        return next_loss(trainer, Pool::safe, options.rows, options.batch) + near(trainer, tuned);
      });
    aligned = now(trainer);
  }
  void save(StateOut& out) const { save_list(out, "aligned", aligned); }
  void load(StateIn& in) { aligned = load_list(in, "aligned"); }

  Tensors now(Trainer& trainer) const {
    Tensors all;
    for (const Param& param : trainer.params()) all.push_back(param.value.detach().clone());
    return all;
  }
  Tensor near(Trainer& trainer, const Tensors& point) const {
    return square_distance(trainer.params(), point).mul(options.rho / 2);
  }

  Tensors aligned;  // w_al; empty before the first safe steps
};
static_assert(explain<Lisa>());

}  // namespace seawall
