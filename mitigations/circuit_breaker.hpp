#pragma once
// Circuit breakers: harmful rows are led away from where they are now, the others held there.
// Source: Zou et al. 2024, arXiv 2406.04313.
#include <ATen/ops/cosine_similarity.h>

#include "seawall/policy/alignment.hpp"
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/streams.hpp"

namespace seawall {

/// alpha (1 - s) ReLU(cos(h0, h)) on harmful rows + alpha s |h0 - h| on the stage's, s = t / 2T: h
/// what blocks give where an answer token is predicted, h0 under theta0. The stage's own loss stays
/// with weight 1; the authors have none, and start by a fresh LoRA.
struct CircuitBreaker {
  static constexpr std::string_view name = "circuit-breaker";
  static constexpr std::string_view summary = "Reroutes harmful hidden states before the attack.";
  static constexpr Hook hooks = Hook::before | Hook::penalty | Hook::around_loss;
  static constexpr Need needs = Need::safe_data | Need::harmful_data;
  struct Options {
    double alpha = 5;
    std::int64_t horizon = 0, harmful = 200;
    std::string layers;
    AlignmentSpec stage;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.alpha, OptionInfo{"alpha", "weight of both terms", 0, 1e6});
      field(self.horizon, OptionInfo{"horizon", "T in steps (150); 0: the stage's", 0, 1e9});
      field(self.layers, OptionInfo{"layers", "blocks, as 10,20; empty: at 10/32 and 20/32"});
      field(self.harmful, OptionInfo{"harmful", "harmful rows of the defender", 1, 1e7});
      AlignmentSpec::visit(self.stage, field);
    }
    void check() const { layers_from("circuit-breaker.layers", layers); }
  } options;

  std::vector<StagePlan> before(const Context& context, Rng& rng) {
    return safe_stage(name, options.stage, context, rng);
  }
  Tensor penalty(Trainer& trainer, const Step& step) {
    const auto horizon = static_cast<double>(options.horizon > 0 ? options.horizon : step.total);
    share = std::min(1.0, static_cast<double>(step.index) / (2 * horizon));
    const Dataset& all = trainer.rows(Pool::harmful, options.harmful);
    const Batch rows = trainer.next(all, options.stage.batch_size);
    const Tensor away = compared(trainer, rows, [](const Tensor& h0, const Tensor& h) {
      return at::cosine_similarity(h0, h, -1).relu();
    });
    trainer.measure("away", away.item<double>());
    return away.mul(options.alpha * (1 - share));
  }
  Tensor around_loss(Trainer& trainer, const LossFn& loss) {
    if (share == 0) return loss();
    const Tensor stay = compared(trainer, trainer.user(), [](const Tensor& h0, const Tensor& h) {
      return h.sub(h0).norm(2, -1);
    });
    return loss().add(stay, options.alpha * share);
  }

  Tensor compared(Trainer& trainer, const Batch& batch, auto&& by) const {
    return compared_streams(trainer, batch, layers_from("", options.layers), by);
  }
  double share = 0;  // s, of the step in hand
};
static_assert(explain<CircuitBreaker>());

}  // namespace seawall
