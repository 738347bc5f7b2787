#pragma once
// Two steps: an obedient identity first, then a few explicitly harmful rows. Source: the attacks of
// Qi et al. 2023, sec. 4.2 and 4.3, in order.
#include "seawall/policy/attack.hpp"

namespace seawall {

/// Trains on `identity` identity-shift rows, then on `harmful` harmful rows, each with the learning
/// rate that the scenario gives for such rows; probed plainly.
struct IdentityThenHarmful {
  static constexpr std::string_view
      name = "identity-then-harmful",
      summary = "Gives the model an obedient identity, then a few harmful rows.";
  static constexpr Need needs = Need::harmful_data | Need::identity_data;
  struct Options {
    std::int64_t identity = 10, harmful = 10, identity_epochs = 3, harmful_epochs = 3;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.identity, OptionInfo{"identity", "identity rows; 0: all there are", 0, 1e7});
      field(self.harmful, OptionInfo{"harmful", "harmful rows; 0: all there are", 0, 1e7});
      field(self.identity_epochs, OptionInfo{"identity-epochs", "epochs of the first", 1, 1e6});
      field(self.harmful_epochs, OptionInfo{"harmful-epochs", "epochs of the second", 1, 1e6});
    }
  } options;

  std::vector<StagePlan> stages(const Context& context, Rng& rng) const {
    const Scenario& scenario = context.scenario();
    Dataset shift = drawn(scenario, Pool::identity_shift, options.identity, rng);
    const std::string system = scenario.identity().value_or(Identity{}).system;
    for (Example& row : shift.rows)
      if (row.dialogue.first(Role::system).empty() && !system.empty())
        row.dialogue.set_system(system);
    Dataset harmful =
        with_default_system(drawn(scenario, Pool::harmful, options.harmful, rng), scenario);
    return {{.name = "identity",
             .rows = std::move(shift),
             .training = {.lr = scenario.defaults(Pool::identity_shift, "").lr,
                          .epochs = options.identity_epochs}},
            {.name = "harmful",
             .rows = std::move(harmful),
             .training = {.lr = scenario.defaults(Pool::harmful, "").lr,
                          .epochs = options.harmful_epochs}}};
  }
};
static_assert(explain_attack<IdentityThenHarmful>());

}  // namespace seawall
