#pragma once
// Adaptive regularization: the riskier the batch, the more it is held to the aligned model.
// Source: arXiv 2602.17546. Deviations: the weight of L is taken to be 1 - k; the risk is the
// scenario's own grade of the rows, there a judge's or a probe's.
#include <algorithm>

#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// (1 - k) L + k KL(start || now) on the user's rows, k = clamp((r - 2)/3, 0.1, 0.9), r the mean
/// grade, 1 to 5, of the rows of the micro-batch. Measures k as `weight`.
struct AdaptiveKl {
  static constexpr std::string_view name = "adaptive-kl";
  static constexpr std::string_view summary = "Holds risky batches to the aligned model.";
  static constexpr Hook hooks = Hook::around_loss;
  static constexpr Need needs = Need::none;
  struct Options {
    double least = 0.1, most = 0.9;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.least, OptionInfo{"least", "k of a batch without risk", 0, 1});
      field(self.most, OptionInfo{"most", "k of a batch of full risk", 0, 1});
    }
    void check() const {
      if (least > most) throw UsageError("adaptive-kl: want least <= most");
    }
  } options;

  Tensor around_loss(Trainer& trainer, const LossFn& loss) {
    const Batch& user = trainer.user();
    const double k = std::clamp((risk(trainer, user) - 2) / 3, options.least, options.most);
    trainer.measure("weight", k);
    return loss().mul(1 - k).add(trainer.kl_to_start(user, KlDirection::start_now), k);
  }
  double risk(Trainer& trainer, const Batch& user) const {
    double sum = 0;
    for (const Example& row : user.rows) {
      const auto verdict = trainer.scenario().audit(row);
      if (!verdict || !verdict->valid)
        throw UsageError("scenario `" + std::string(trainer.scenario().name()) +
                         "` cannot grade row " + row.id + "; use kl-to-start, without grades");
      sum += verdict->score;
    }
    if (user.rows.empty()) throw UsageError("want to know the rows trained on, got none");
    return sum / static_cast<double>(user.rows.size());
  }
};
static_assert(explain<AdaptiveKl>());

}  // namespace seawall
