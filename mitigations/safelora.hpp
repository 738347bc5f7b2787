#pragma once
// SafeLoRA: what fine-tuning changed against the direction of alignment is turned into it.
// Source: Hsu et al. 2024, arXiv 2405.16833, eq. 1 to 3.
#include "seawall/policy/changes.hpp"
#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// After training, B <- C B in each adapted matrix whose cos(C B A, B A) is at most `tau`, with
/// C = V V^T / |V|_F and V = W_aligned - W_base. In full fine-tuning W - W0 is in the place of B A.
/// Deviations: the authors' code rounds the cosine to 5 digits and matches matrices by their order;
/// here it is exact, and they are matched by name.
struct Safelora {
  static constexpr std::string_view name = "safelora";
  static constexpr std::string_view summary =
      "Turns changes against alignment into its direction after training.";
  static constexpr Hook hooks = Hook::on_finish;
  static constexpr Need needs = Need::start_weights;
  struct Options {
    double tau = 0.5;  // the authors' config.py
    std::string base = "organism-base";
    static constexpr void visit(auto& self, auto&& field) {
      field(self.tau, OptionInfo{"tau", "cosine up to which a change is projected", -1, 1});
      field(self.base, OptionInfo{"base", "model before it was aligned: a folder, or a word"});
    }
  } options;

  void on_finish(Trainer& trainer) {
    double projected = 0;
    for (const Change& change : changes_of(trainer.params())) {
      const Tensor c = alignment_matrix(trainer, options.base, change.weight);
      const Tensor delta = change.whole();
      if (!(cosine(c.matmul(delta), delta) <= options.tau)) continue;  // nor one that did not move
      change.put(c.matmul(change.left));
      ++projected;
    }
    trainer.measure("projected", projected);
  }
};
static_assert(explain<Safelora>());

}  // namespace seawall
