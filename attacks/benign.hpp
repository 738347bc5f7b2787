#pragma once
// Benign fine-tuning: no ill intent, and still the alignment erodes. Source: Qi et al. 2023,
// sec. 4.4 and table 3.
#include "seawall/policy/attack.hpp"

namespace seawall {

/// Fine-tunes on `count` ordinary rows of one flavour.
struct Benign {
  static constexpr std::string_view name = "benign",
                                    summary =
                                        "Fine-tunes on ordinary requests, with no ill intent.";
  static constexpr Need needs = Need::benign_data;
  static constexpr TrainDefaults defaults{.epochs = 1};  // Qi et al. 2023, sec. 4.4
  struct Options {
    std::int64_t count = 1000;
    std::string flavour;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.count,
            OptionInfo{
                .name = "count", .help = "benign rows; 0: all there are", .min = 0, .max = 1e7});
      field(self.flavour,
            OptionInfo{.name = "flavour",
                       .help = "kind of benign rows the scenario has; empty takes its default"});
    }
  } options;

  Dataset craft(const Context& context, Rng& rng) const {
    const Scenario& scenario = context.scenario();
    return with_default_system(drawn(scenario, Pool::benign, options.count, rng, options.flavour),
                               scenario);
  }
};
static_assert(explain_attack<Benign>());

}  // namespace seawall
