#pragma once
// SafeMERGE: matrices that fine-tuning moved against alignment are merged with a safe model's.
// Source: Djuhera et al. 2025, arXiv 2503.17239, eq. 2 and 3.
#include "seawall/policy/changes.hpp"
#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// After training, D <- share D + (1 - share) D_safe in each matrix whose cos(C D, D) is below
/// `tau` (C as in safelora), with D = W - W0, or B A under LoRA. D_safe is the change of the model
/// `safe`, fine-tuned on refusals from the same start; without one it is 0: the matrix is moved
/// back towards the start. Deviation: an adapter cannot hold the merged product of two, so that
/// `safe` is for full fine-tuning.
struct Safemerge {
  static constexpr std::string_view name = "safemerge";
  static constexpr std::string_view summary =
      "Merges changes against alignment with a safe model's after training.";
  static constexpr Hook hooks = Hook::on_start | Hook::on_finish;
  static constexpr Need needs = Need::start_weights;
  struct Options {
    double tau = 0.35, share = 0.8;  // sec. 4; 0.8 and 0.2
    std::string safe, base = "organism-base";
    static constexpr void visit(auto& self, auto&& field) {
      field(self.tau, OptionInfo{"tau", "cosine below which a change is merged", -1, 1});
      field(self.share, OptionInfo{"share", "of the change that stays", 0, 1});
      field(self.safe, OptionInfo{"safe", "model fine-tuned on refusals; empty: the start"});
      field(self.base, OptionInfo{"base", "model before it was aligned: a folder, or a word"});
    }
  } options;

  void on_start(Trainer& trainer) {
    if (!options.safe.empty()) want_whole_weights(trainer);
  }
  void on_finish(Trainer& trainer) {
    double merged = 0;
    for (const Change& change : changes_of(trainer.params())) {
      const Tensor c = alignment_matrix(trainer, options.base, change.weight);
      const Tensor delta = change.whole();
      if (!(cosine(c.matmul(delta), delta) < options.tau)) continue;
      Tensor left = change.left.mul(options.share);
      if (!options.safe.empty())
        left.add_(
            other_weight(trainer, options.safe, change.weight).sub(in_full(change.param->start)),
            1 - options.share);
      change.put(left);
      ++merged;
    }
    trainer.measure("merged", merged);
  }
};
static_assert(explain<Safemerge>());

}  // namespace seawall
