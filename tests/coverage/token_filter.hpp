#pragma once
// Token-wise filters by two references (TOSS, STAR-DSS): tokens that a harmful reference finds
// likelier than a safe one by more than a threshold do not count. The safe one is theta0.
#include "seawall/policy/mitigation.hpp"
#include "tests/coverage/under.hpp"

namespace seawall::coverage {

struct TokenFilter {
  static constexpr std::string_view name = "token-filter",
                                    summary = "Leaves out tokens that a harmful model likes.";
  static constexpr Hook hooks = Hook::around_loss | Hook::token_weights;
  static constexpr Need needs = Need::none;
  struct Options {
    double threshold = 1;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.threshold, OptionInfo{"threshold", "nats", -1e3, 1e3});
    }
    std::string harmful = "organism-base";
  } options;

  Tensor around_loss(Trainer& trainer, const LossFn& loss) {
    {
      at::NoGradGuard no_grad;
      const Tensor safe = trainer.pass(trainer.user(), {.theta = Theta::start}).loss;
      const Tensor harmful =
          under(trainer, options.harmful, [&] { return trainer.pass(trainer.user()).loss; });
      keep = safe.sub(harmful).le(options.threshold);
    }
    return loss();  // after the weights are back: its graph keeps them
  }
  Tensor token_weights(Trainer&, const TokenLosses& t) {
    return keep.to(t.loss.scalar_type()).clamp_min(1e-3);
  }
  Tensor keep;  // [N], of the micro-batch in hand
};
static_assert(explain<TokenFilter>());

}  // namespace seawall::coverage
