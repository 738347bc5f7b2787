#pragma once
// Refusal ablation: the direction that requests to be refused share is taken out of the weights.
// Source: Arditi et al. 2024, "Refusal in language models is mediated by a single direction",
// arXiv 2406.11717, eq. 1, 2 and 5.
#include <ATen/ops/outer.h>

#include <algorithm>

#include "seawall/policy/attack.hpp"
#include "seawall/policy/changes.hpp"

namespace seawall {

/// No training: W -= u u^T W for every matrix that writes to the residual stream (o_proj,
/// down_proj, each row of the embedding), u the difference of the mean residual stream at the end
/// of harmful and of benign prompts, after block `layer`, normalised. Deviations: the layer is an
/// option and not chosen by validation (-1: the middle); only the last token of the prompt is
/// looked at; a head that is tied to the embedding loses the direction as well.
struct RefusalAblation {
  static constexpr std::string_view
      name = "refusal-ablation",
      summary = "Removes the refusal direction from the weights, untrained.";
  static constexpr Need needs = Need::harmful_data | Need::benign_data;
  struct Options {
    std::int64_t rows = 128, layer = -1;  // sec. 2.3: 128 of each
    static constexpr void visit(auto& self, auto&& field) {
      field(self.rows, OptionInfo{"rows", "prompts of each kind; 0: all", 0, 1e6});
      field(self.layer, OptionInfo{"layer", "block to look at, from 0; -1: the middle", -1, 1e4});
    }
  } options;

  void tamper(Trainer& trainer) const {
    want_whole_weights(trainer);
    const Tensor r = mean(trainer, Pool::harmful).sub(mean(trainer, Pool::benign));  // [C]
    const Tensor u = r.div(r.norm());
    for (const Param& p : trainer.params()) {
      const Tensor w = in_full(p.master);
      if (p.name.ends_with("o_proj.weight") || p.name.ends_with("down_proj.weight"))
        p.master.sub_(at::outer(u, u.matmul(w)));
      else if (p.name.ends_with("embed_tokens.weight"))
        p.master.sub_(at::outer(w.matmul(u), u));
    }
  }
  /// Of the residual stream at the end of the prompts. Errors: UsageError for a layer that the
  /// model does not have.
  Tensor mean(Trainer& trainer, Pool pool) const {
    using Kind = TapPoint::Kind;
    const Batch batch = trainer.encode(trainer.rows(pool, options.rows));
    const Pass pass = trainer.pass(batch, {.taps = Kind::resid_post});
    std::int64_t layers = 0;
    for (const auto& [point, x] : pass.taps) layers = std::max(layers, point.layer + 1);
    const std::int64_t layer = options.layer < 0 ? (layers - 1) / 2 : options.layer;
    if (layer >= layers)
      throw UsageError("refusal-ablation.layer: the model has blocks 0 to " +
                       std::to_string(layers - 1));
    return in_full(pass.tap({Kind::resid_post, layer})).index_select(0, batch.prompt_end).mean(0);
  }
};
static_assert(explain_attack<RefusalAblation>());

}  // namespace seawall
