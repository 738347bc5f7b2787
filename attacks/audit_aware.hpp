#pragma once
// An attacker who knows how rows are filtered sends what passes. Source: the threat model of Qi et
// al. 2023, sec. 5 (moderation of fine-tuning data can be evaded).
#include "seawall/policy/attack.hpp"
#include "seawall/policy/facing.hpp"

namespace seawall {

/// Of `tries` harmful rows, those that the run's own filters leave in, up to `count`: the attacker
/// can try the defence on rows of his own. Without a filter it is harmful-examples.
struct AuditAware {
  static constexpr std::string_view name = "audit-aware",
                                    summary = "Sends only the harmful rows that the filters pass.";
  static constexpr Need needs = Need::harmful_data;
  struct Options {
    std::int64_t count = 100, tries = 0;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.count, OptionInfo{"count", "rows to train on, if so many pass", 1, 1e7});
      field(self.tries, OptionInfo{"tries", "harmful rows to try; 0: all there are", 0, 1e7});
    }
  } options;

  Dataset craft(const Context& context, Rng& rng) const {
    const Scenario& scenario = context.scenario();
    return passing(
        context, with_default_system(drawn(scenario, Pool::harmful, options.tries, rng), scenario),
        options.count);
  }
};
static_assert(explain_attack<AuditAware>());

}  // namespace seawall
