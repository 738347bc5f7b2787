#pragma once
// SPLoRA: the matrices that fine-tuning moved farthest off alignment lose their change.
// Source: Ao et al. 2025, "Safe Pruning LoRA", arXiv 2506.18931.
#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "seawall/policy/changes.hpp"
#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// After training, B <- 0 in the `count` adapted matrices whose C B A is farthest from B A (C as in
/// safelora); in full fine-tuning W <- W0. Deviation: the paper's E-DIEM normalises the distance
/// by its expectation and spread, which its code takes from 50 copies of one pair, so that they are
/// those of rounding; here it is |C B A - B A|_F / sqrt(entries), so that sizes compare.
struct Splora {
  static constexpr std::string_view name = "splora";
  static constexpr std::string_view summary =
      "Prunes the changes that are farthest off alignment after training.";
  static constexpr Hook hooks = Hook::on_finish;
  static constexpr Need needs = Need::start_weights;
  struct Options {
    std::int64_t count = 10;
    std::string base = "organism-base";
    static constexpr void visit(auto& self, auto&& field) {
      field(self.count, OptionInfo{"count", "matrices that lose their change", 1, 1e6});
      field(self.base, OptionInfo{"base", "model before it was aligned: a folder, or a word"});
    }
  } options;

  void on_finish(Trainer& trainer) {
    const auto changes = changes_of(trainer.params());
    std::vector<std::pair<double, std::size_t>> distances;
    for (std::size_t i = 0; i < changes.size(); ++i) {
      const Tensor c = alignment_matrix(trainer, options.base, changes[i].weight);
      const Tensor delta = changes[i].whole();
      distances.emplace_back(-c.matmul(delta).sub(delta).norm().item<double>() /
                                 std::sqrt(static_cast<double>(delta.numel())),
                             i);
    }
    std::sort(distances.begin(), distances.end());
    const auto pruned = std::min(distances.size(), static_cast<std::size_t>(options.count));
    for (std::size_t i = 0; i < pruned; ++i) {
      const Change& change = changes[distances[i].second];
      change.put(at::zeros_like(change.left));
    }
    trainer.measure("pruned", static_cast<double>(pruned));
  }
};
static_assert(explain<Splora>());

}  // namespace seawall
