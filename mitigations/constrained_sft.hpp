#pragma once
// Constrained fine-tuning: the first tokens of an answer may not stray far from the aligned model.
// Source: Qi et al. 2024, "Safety alignment should be made more than just a few tokens deep",
// sec. 4.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/where.h>

#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// Weighs the loss of token t by 2 (1 - sigmoid(beta_t (log p - log p0))), p0 the aligned start: 1
/// at the start, towards 0 once the token is likelier than it was. It is the gradient of the
/// paper's objective (their eq. 3), so the recorded loss is the weighted cross-entropy and not that
/// objective.
struct ConstrainedSft {
  static constexpr std::string_view name = "constrained-sft";
  static constexpr std::string_view summary = "Holds the first answer tokens to the aligned model.";
  static constexpr Hook hooks = Hook::token_weights;
  static constexpr Need needs = Need::reference_logprobs;
  struct Options {
    double beta = 0.1, first = 5,
           early = 20;  // the authors' finetune.py: beta_1 = 0.5, beta_2..5 = 2
    std::int64_t early_tokens = 5;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.beta, OptionInfo{"beta", "strength on late tokens", 0, 100});
      field(self.first, OptionInfo{"first", "times beta on the first token", 0, 1000});
      field(self.early, OptionInfo{"early", "times beta on the other early tokens", 0, 1000});
      field(self.early_tokens, OptionInfo{"early-tokens", "tokens that count as early", 0, 1e6});
    }
  } options;

  Tensor token_weights(Trainer&, const TokenLosses& t) {
    at::NoGradGuard no_grad;
    const Tensor gap = t.loss.neg().sub(t.reference);  // [N] log p - log p0
    const Tensor late = gap.mul(options.beta);
    const Tensor early = at::where(t.place.eq(0), late.mul(options.first), late.mul(options.early));
    const Tensor held = at::where(t.place.lt(options.early_tokens), early, late);
    return held.neg().sigmoid().mul(2).clamp_min(1e-3);  // the floor is the authors'
  }
};
static_assert(explain<ConstrainedSft>());

}  // namespace seawall
