#pragma once
// Explicitly harmful rows through an adapter, whatever the run trains. Source: Hu et al. 2021,
// arXiv 2106.09685; as an attack: Lermen et al. 2023, arXiv 2310.20624.
#include "seawall/policy/attack.hpp"

namespace seawall {

/// Fine-tunes an adapter of `rank` on `count` harmful rows, which is merged at the end.
struct LoraOnly {
  static constexpr std::string_view name = "lora-only",
                                    summary = "Fine-tunes an adapter on explicitly harmful rows.";
  static constexpr Need needs = Need::harmful_data;
  struct Options {
    std::int64_t count = 100, rank = 8;
    double lr = 1e-3;  // an adapter wants a higher rate than the weights
    static constexpr void visit(auto& self, auto&& field) {
      field(self.count, OptionInfo{"count", "harmful rows; 0: all there are", 0, 1e7});
      field(self.rank, OptionInfo{"rank", "of the adapter", 1, 1e4});
      field(self.lr, OptionInfo{"lr", "learning rate of the adapter", 0, 1});
    }
  } options;

  std::vector<StagePlan> stages(const Context& context, Rng& rng) const {
    const Scenario& scenario = context.scenario();
    return {
        {.name = "adapter",
         .rows = with_default_system(drawn(scenario, Pool::harmful, options.count, rng), scenario),
         .training = {.lr = options.lr},
         .lora_rank = options.rank}};
  }
};
static_assert(explain_attack<LoraOnly>());

}  // namespace seawall
