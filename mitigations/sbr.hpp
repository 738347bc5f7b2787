#pragma once
// SBR: what the model makes of harmful prompts, before it answers, is anchored to the start.
// Source: arXiv 2605.05995: lambda 50, 8 prompts, 1 is enough. Deviation: the last block's residual
// stream before the final norm, whose scale is another one; the paper's code takes it after.
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/side_rows.hpp"

namespace seawall {

/// L + lambda MSE(h, h0), h the residual stream after the last block at the last token of each of
/// `count` harmful prompts, the mean over prompts and width; h0 under the weights before training.
struct Sbr {
  static constexpr std::string_view name = "sbr";
  static constexpr std::string_view summary = "Anchors the states of harmful prompts.";
  static constexpr Hook hooks = Hook::on_start | Hook::penalty;
  static constexpr Need needs = Need::harmful_data;
  struct Options {
    double lambda = 50;
    std::int64_t count = 8;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.lambda, OptionInfo{"lambda", "strength of the anchor", 0, 1e6});
      field(self.count, OptionInfo{"count", "harmful prompts", 1, 1e4});
    }
  } options;

  void on_start(Trainer& trainer) {
    batch = trainer.encode(trainer.rows(Pool::harmful, options.count));
    anchor = states(trainer, Theta::start);
  }
  Tensor penalty(Trainer& trainer, const Step&) {
    return states(trainer, Theta::now).sub(anchor).square().mean().mul(options.lambda);
  }
  Tensor states(Trainer& trainer, Theta theta) const {
    const Pass pass = trainer.pass(batch, {.theta = theta, .taps = TapPoint::Kind::resid_post});
    return wide(pass.taps.back().second.index_select(0, batch.prompt_end));  // [count,C]
  }

  Batch batch;  // the prompts
  Tensor anchor;
};
static_assert(explain<Sbr>());

}  // namespace seawall
