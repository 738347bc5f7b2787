#pragma once
// Pruning as an attack: small weights are removed, and refusals with them or not. Source: Han et
// al. 2015, arXiv 1506.02626; what it does to safety: Wei et al. 2024, arXiv 2402.05162.
#include <ATen/ops/topk.h>

#include "seawall/policy/attack.hpp"
#include "seawall/policy/changes.hpp"

namespace seawall {

/// No training: the `share` of each matrix of the blocks with the least |W| becomes 0.
struct Prune {
  static constexpr std::string_view name = "prune",
                                    summary = "Sets the smallest weights to zero, untrained.";
  static constexpr Need needs = Need::none;
  struct Options {
    double share = 0.3;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.share, OptionInfo{"share", "of the weights of each matrix", 0, 1});
    }
  } options;

  void tamper(Trainer& trainer) const {
    want_whole_weights(trainer);
    double removed = 0;
    for (const Param& p : trainer.params()) {
      if (!in_block(p)) continue;
      const auto count =
          static_cast<std::int64_t>(options.share * static_cast<double>(p.master.numel()));
      const Tensor least = std::get<1>(
          in_full(p.master).abs().flatten().topk(count, 0, /*largest=*/false, /*sorted=*/false));
      p.master.view({-1}).index_fill_(0, least, 0);
      removed += static_cast<double>(count);
    }
    trainer.measure("removed", removed);
  }
};
static_assert(explain_attack<Prune>());

}  // namespace seawall
