#pragma once
// Divergence from the aligned model's predictions on the user's own rows.
// Source: arXiv 2508.06249 (in-training defences against emergent misalignment): lambda 0.1.
#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// L + lambda KL, the divergence over the whole vocabulary between the model before training and
/// now, averaged over the targets of the user's batch.
struct KlToStart {
  static constexpr std::string_view name = "kl-to-start";
  static constexpr std::string_view summary = "Holds the predictions near the aligned model's.";
  static constexpr Hook hooks = Hook::around_loss;
  static constexpr Need needs = Need::none;
  struct Options {
    double lambda = 0.1;
    std::string direction = "start-now";
    static constexpr void visit(auto& self, auto&& field) {
      field(self.lambda, OptionInfo{"lambda", "strength of the divergence", 0, 1e6});
      field(self.direction, OptionInfo{.name = "direction",
                                       .help = "KL(start || now), or KL(now || start)",
                                       .choices = "start-now|now-start"});
    }
  } options;

  Tensor around_loss(Trainer& trainer, const LossFn& loss) {
    const auto direction =
        options.direction == "start-now" ? KlDirection::start_now : KlDirection::now_start;
    return loss().add(trainer.kl_to_start(trainer.user(), direction), options.lambda);
  }
};
static_assert(explain<KlToStart>());

}  // namespace seawall
