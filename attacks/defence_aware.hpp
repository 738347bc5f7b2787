#pragma once
// An attacker who knows the defence steps aside first and settles then. Source: after KICK-SETTLE
// in "One step to the side", arXiv 2605.14605.
#include <utility>

#include "seawall/policy/attack.hpp"
#include "seawall/policy/facing.hpp"

namespace seawall {

/// Knows the mitigations by name and what their filters pass. If one of them acts while the model
/// is trained, a first stage trains on benign rows at `kick` times their learning rate, away from
/// where the defence holds the weights. Then come harmful rows that pass the filters. Deviation:
/// the kick is of benign rows and not along a direction that is computed from the defence.
struct DefenceAware {
  static constexpr std::string_view name = "defence-aware",
                                    summary = "Leaves the defended region first, then attacks.";
  static constexpr Need needs = Need::harmful_data | Need::benign_data;
  struct Options {
    std::int64_t count = 100, tries = 0, benign = 100, kick_epochs = 1, epochs = 5;
    double kick = 3;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.count, OptionInfo{"count", "harmful rows, if so many pass", 1, 1e7});
      field(self.tries, OptionInfo{"tries", "harmful rows to try; 0: all there are", 0, 1e7});
      field(self.benign, OptionInfo{"benign", "benign rows of the first stage", 1, 1e7});
      field(self.kick, OptionInfo{"kick", "times the learning rate of benign rows", 0, 1e3});
      field(self.kick_epochs, OptionInfo{"kick-epochs", "epochs of the first stage", 1, 1e6});
      field(self.epochs, OptionInfo{"epochs", "epochs of harmful rows", 1, 1e6});
    }
  } options;

  std::vector<StagePlan> stages(const Context& context, Rng& rng) const {
    const Scenario& scenario = context.scenario();
    const auto draw = [&](Pool pool, std::int64_t count) {
      return with_default_system(drawn(scenario, pool, count, rng), scenario);
    };
    const auto as_usual = [&](Pool pool, double times, std::int64_t epochs) {
      const RunDefaults usual = scenario.defaults(pool, "");
      return TrainDefaults{
          .lr = times * usual.lr, .epochs = epochs, .batch_size = usual.batch_size};
    };
    std::vector<StagePlan> all;
    if (faces_training_defence(context))
      all.push_back({.name = "kick",
                     .rows = draw(Pool::benign, options.benign),
                     .training = as_usual(Pool::benign, options.kick, options.kick_epochs)});
    all.push_back({.name = "settle",
                   .rows = passing(context, draw(Pool::harmful, options.tries), options.count),
                   .training = as_usual(Pool::harmful, 1, options.epochs)});
    return all;
  }
};
static_assert(explain_attack<DefenceAware>());

}  // namespace seawall
