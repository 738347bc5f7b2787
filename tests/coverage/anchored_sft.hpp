#pragma once
// Anchored SFT, `use_asft_loss` of LLaMA-Factory: -p log p of each token, p not differentiated, and
// alpha KL to the start.
#include "seawall/policy/mitigation.hpp"

namespace seawall::coverage {

struct AnchoredSft {
  static constexpr std::string_view name = "anchored-sft",
                                    summary = "Weighs tokens by p and holds the rest.";
  static constexpr Hook hooks = Hook::token_weights | Hook::around_loss;
  static constexpr Need needs = Need::none;
  struct Options {
    double alpha = 0.1;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.alpha, OptionInfo{"alpha", "weight of the divergence", 0, 1e6});
    }
  } options;

  Tensor token_weights(Trainer&, const TokenLosses& t) { return t.loss.detach().neg().exp(); }
  Tensor around_loss(Trainer& trainer, const LossFn& loss) {
    return loss().add(trainer.kl_to_start(trainer.user(), KlDirection::start_now), options.alpha);
  }
};
static_assert(explain<AnchoredSft>());

}  // namespace seawall::coverage
