#pragma once
// Attention sink: harmful rows may not lean on the first token more than harmless ones.
// Source: Surgery (arXiv 2602.05228): alpha 300, one pair of rows per step. Deviation: the mean is
// over the tokens that predict a target; the paper's code takes every token after the first.
#include <ATen/ops/relu.h>
#include <ATen/ops/stack.h>

#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/side_rows.hpp"

namespace seawall {

/// L + alpha mean over layers and heads of ReLU(sink_harmful - sink_harmless), sink the attention
/// to a row's first token: the mean over its answer, then over the batch. Harmless rows are benign.
struct AttentionSink {
  static constexpr std::string_view name = "attention-sink";
  static constexpr std::string_view summary = "Keeps harmful rows off the attention sink.";
  static constexpr Hook hooks = Hook::penalty;
  static constexpr Need needs = Need::harmful_data | Need::benign_data;
  struct Options {
    double alpha = 300;
    std::int64_t rows = 100, batch = 1;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.alpha, OptionInfo{"alpha", "strength", 0, 1e6});
      field(self.rows, OptionInfo{"rows", "rows of each kind; 0: all there are", 0, 1e6});
      field(self.batch, OptionInfo{"batch", "rows of each kind per step", 1, 1e4});
    }
  } options;

  Tensor penalty(Trainer& trainer, const Step&) {
    const Tensor apart = sink(trainer, Pool::harmful).sub(sink(trainer, Pool::benign));
    return apart.relu().mean().mul(options.alpha);
  }
  Tensor sink(Trainer& trainer, Pool pool) const {
    const Batch batch = next_of(trainer, pool, options.rows, options.batch);
    Tensors layers;
    for (const auto& tap : trainer.pass(batch, {.taps = TapPoint::Kind::sink}).taps)
      layers.push_back(row_means(tap.second.index_select(0, batch.source), batch).mean(0));
    return at::stack(layers);  // [L,H]
  }
};
static_assert(explain<AttentionSink>());

}  // namespace seawall
