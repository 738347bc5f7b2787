#pragma once
// Antidote: the weights that harmful answers use most are set to zero after training.
// Source: Huang et al. 2024, arXiv 2408.09600, sec. 4; the score is that of Wanda, arXiv
// 2306.11695.
#include <ATen/ops/topk.h>

#include "seawall/policy/matrix_inputs.hpp"
#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// After training, the top `alpha` of each row of |W_ij| |X_j| become 0, in every matrix of the
/// blocks; |X_j| is the norm of input j over the tokens that predict the answers of `rows` harmful
/// rows. Deviation: the authors count every token of a row and prune adapters (or q, k and v).
struct Antidote {
  static constexpr std::string_view name = "antidote";
  static constexpr std::string_view summary =
      "Removes the weights that harmful answers use most, after training.";
  static constexpr Hook hooks = Hook::on_start | Hook::on_finish;
  static constexpr Need needs = Need::harmful_data;
  struct Options {
    double alpha = 0.1;       // sec. 5
    std::int64_t rows = 100;  // the paper: 2,000
    static constexpr void visit(auto& self, auto&& field) {
      field(self.alpha, OptionInfo{"alpha", "share of each row of a matrix", 0, 1});
      field(self.rows, OptionInfo{"rows", "harmful rows of the defender; 0: all", 0, 1e7});
    }
  } options;

  void on_start(Trainer& trainer) { want_whole_weights(trainer); }
  void on_finish(Trainer& trainer) {
    double removed = 0;
    const Tensors scores = wanda_scores(trainer, trainer.rows(Pool::harmful, options.rows));
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const Tensor& score = scores[i];  // [out,K]
      if (!score.defined()) continue;
      const auto count =
          static_cast<std::int64_t>(options.alpha * static_cast<double>(score.size(1)));
      trainer.params()[i].master.scatter_(1, std::get<1>(score.topk(count, 1)), 0.0);
      removed += static_cast<double>(count * score.size(0));
    }
    trainer.measure("removed", removed);
  }
};
static_assert(explain<Antidote>());

}  // namespace seawall
