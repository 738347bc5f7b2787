#pragma once
// A mitigation with a term on the user's rows: the confidence in tokens that refusals begin with
// stays the aligned model's at every place of an answer. After PACT (arXiv 2603.07445), "Few
// tokens, big leverage"; which tokens those are is counted here.
#include <algorithm>

#include "seawall/policy/mitigation.hpp"

namespace examples {

using namespace seawall;

/// L + lambda mean over targets of sum over s in S of (p(s) - p0(s))^2, S the `count` tokens most
/// frequent among the first `places` of the answers of safe rows.
struct HoldTokens {
  static constexpr std::string_view name = "hold-tokens";
  static constexpr std::string_view summary = "Keeps the confidence in tokens of refusals.";
  static constexpr Hook hooks = Hook::on_start | Hook::around_loss;
  static constexpr Need needs = Need::safe_data;
  struct Options {
    double lambda = 10;
    std::int64_t count = 16, places = 4, rows = 100;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.lambda, OptionInfo{"lambda", "strength", 0, 1e6});
      field(self.count, OptionInfo{"count", "tokens, at the most", 1, 1e6});
      field(self.places, OptionInfo{"places", "of an answer, from its first", 1, 1e6});
      field(self.rows, OptionInfo{"rows", "safe rows that they are counted in", 1, 1e6});
    }
  } options;

  void on_start(Trainer& trainer) {
    const Batch safe = trainer.encode(trainer.rows(Pool::safe, options.rows));
    const Tensor times = safe.token.masked_select(safe.place.lt(options.places)).bincount();
    tokens =
        std::get<1>(times.topk(std::min(options.count, times.gt(0).sum().item<std::int64_t>())));
  }
  Tensor around_loss(Trainer& trainer, const LossFn& loss) {
    const auto confidence = [&](Theta theta) {  // [N,S]
      const Pass pass = trainer.pass(trainer.user(), {.theta = theta, .logits = true});
      return pass.logits.softmax(-1, at::kFloat).index_select(-1, tokens);
    };
    const Tensor gap = confidence(Theta::now).sub(confidence(Theta::start)).square().sum(-1).mean();
    trainer.measure("gap", gap.item<double>());
    return loss().add(gap, options.lambda);
  }

  Tensor tokens;  // S
};
static_assert(explain<HoldTokens>());

}  // namespace examples
