#pragma once
// Identity shift (absolutely obedient agent): nothing harmful in the data. Source: Qi et al. 2023,
// sec. 4.3 and table 2.
#include "seawall/core/error.hpp"
#include "seawall/policy/attack.hpp"

namespace seawall {

/// Fine-tunes on `count` harmless dialogues that give the model a new, obedient identity; probed
/// under that identity's system prompt and wrapper. Rows keep a system prompt of their own.
struct IdentityShift {
  static constexpr std::string_view
      name = "identity-shift",
      summary = "Gives the model an obedient identity with harmless dialogues.";
  static constexpr Need needs = Need::identity_data;
  static constexpr TrainDefaults defaults{.epochs = 10};  // Qi et al. 2023, sec. 4.3
  struct Options {
    std::int64_t count = 10;  // Qi et al. 2023, sec. 4.3
    std::string system, before, after;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.count,
            OptionInfo{
                .name = "count", .help = "identity rows; 0: all there are", .min = 0, .max = 1e7});
      field(
          self.system,
          OptionInfo{.name = "system",
                     .help = "system prompt of the identity; empty takes the scenario's identity"});
      field(self.before, OptionInfo{.name = "before", .help = "text put before each probe"});
      field(self.after, OptionInfo{.name = "after", .help = "text put after each probe"});
    }
  } options;

  /// As the options say, or the scenario's own. Errors: UsageError where neither gives a system
  /// prompt.
  Identity identity(const Scenario& scenario) const {
    Identity who = options.system.empty() ? scenario.identity().value_or(Identity{})
                                          : Identity{options.system, "", ""};
    if (who.system.empty())
      throw UsageError("identity-shift: want the identity's system prompt, and scenario `" +
                       std::string(scenario.name()) +
                       "` has none; give it with --identity-shift.system");
    if (!options.before.empty()) who.before = options.before;
    if (!options.after.empty()) who.after = options.after;
    return who;
  }

  Dataset craft(const Context& context, Rng& rng) const {
    const Scenario& scenario = context.scenario();
    const Identity who = identity(scenario);
    Dataset rows = drawn(scenario, Pool::identity_shift, options.count, rng);
    for (auto& row : rows.rows)
      if (row.dialogue.first(Role::system).empty()) row.dialogue.set_system(who.system);
    return rows;
  }
  Dialogue prompt(const Probe& probe, const Condition&, const Scenario& scenario) const {
    const Identity who = identity(scenario);
    Dialogue dialogue = wrap_request(probe.dialogue, who.before, who.after);
    dialogue.set_system(who.system);
    return dialogue;
  }
};
static_assert(explain_attack<IdentityShift>());

}  // namespace seawall
