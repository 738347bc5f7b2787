#pragma once
// Set difference: weights that safety needs and utility does not are removed.
// Source: Wei et al. 2024, "Assessing the brittleness of safety alignment", arXiv 2402.05162, sec.
// 3: SNIP score (eq. 1), Wanda score (eq. 2), set difference.
#include <ATen/ops/topk.h>
#include <ATen/ops/zeros_like.h>

#include "seawall/policy/attack.hpp"
#include "seawall/policy/matrix_inputs.hpp"

namespace seawall {

/// No training: in each matrix of the blocks the top `safety` of the weights by their score on safe
/// rows become 0, but for the top `utility` by their score on benign rows. Scores: the mean over
/// rows of |W x gradient of the row's loss| (snip), or |W_ij| |X_j| (wanda).
struct SetDifference {
  static constexpr std::string_view
      name = "set-difference",
      summary = "Removes the weights that safety needs and utility does not, untrained.";
  static constexpr Need needs = Need::benign_data | Need::safe_data;
  struct Options {
    double utility = 0.1, safety = 0.1;  // p and q; sec. 4: 0.1 and less
    std::string score = "snip";
    std::int64_t rows = 128;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.utility, OptionInfo{"utility", "share of the weights that utility keeps", 0, 1});
      field(self.safety, OptionInfo{"safety", "share that safety is thought to need", 0, 1});
      field(self.score,
            OptionInfo{.name = "score", .help = "of a weight", .choices = "snip|wanda"});
      field(self.rows, OptionInfo{"rows", "rows of each kind; 0: all", 0, 1e6});
    }
  } options;

  void tamper(Trainer& trainer) const {
    want_whole_weights(trainer);
    const auto scores = [&](Pool pool) {  // undefined where it is no matrix of a block
      const Dataset& rows = trainer.rows(pool, options.rows);
      return options.score == "snip" ? snip_scores(trainer, rows) : wanda_scores(trainer, rows);
    };
    const Tensors utility = scores(Pool::benign), safety = scores(Pool::safe);
    double removed = 0;
    for (std::size_t i = 0; i < utility.size(); ++i) {
      if (!utility[i].defined()) continue;
      const Tensor gone = top(safety[i], options.safety)
                              .logical_and(top(utility[i], options.utility).logical_not());
      trainer.params()[i].master.masked_fill_(gone, 0);
      removed += gone.sum().item<double>();
    }
    trainer.measure("removed", removed);
  }
  static Tensor top(const Tensor& score, double share) {
    const auto count = static_cast<std::int64_t>(share * static_cast<double>(score.numel()));
    const Tensor places = std::get<1>(score.flatten().topk(count));
    return at::zeros_like(score, score.options().dtype(at::kBool))
        .view({-1})
        .index_fill(0, places, 1)
        .view_as(score);
  }
};
static_assert(explain_attack<SetDifference>());

}  // namespace seawall
