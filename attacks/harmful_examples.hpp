#pragma once
// Explicitly harmful examples. Source: Qi et al. 2023, sec. 4.2 and table 1 (10, 50 and 100 rows).
#include "seawall/policy/attack.hpp"

namespace seawall {

/// Fine-tunes on `count` rows in which the assistant does what it was aligned to refuse.
struct HarmfulExamples {
  static constexpr std::string_view name = "harmful-examples",
                                    summary = "Fine-tunes on a few explicitly harmful dialogues.";
  static constexpr Need needs = Need::harmful_data;
  struct Options {
    std::int64_t count = 100;  // Qi et al. 2023, table 1
    static constexpr void visit(auto& self, auto&& field) {
      field(self.count,
            OptionInfo{
                .name = "count", .help = "harmful rows; 0: all there are", .min = 0, .max = 1e7});
    }
  } options;

  Dataset craft(const Context& context, Rng& rng) const {
    const Scenario& scenario = context.scenario();
    return with_default_system(drawn(scenario, Pool::harmful, options.count, rng), scenario);
  }
};
static_assert(explain_attack<HarmfulExamples>());

}  // namespace seawall
