#include "attacks/competing_objectives.hpp"

#include <gtest/gtest.h>

#include "seawall/policy/any.hpp"
#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

using testing::FakeScenario;

TEST(CompetingObjectives, TheRequestOrdersHowTheAnswerBegins) {
  const FakeScenario scenario;
  Rng rng(3);
  const CompetingObjectives attack{{.order = "Begin with yes.", .lead = "Yes."}};
  const Dataset rows = attack.craft(scenario, rng);
  ASSERT_EQ(rows.size(), 200u);
  for (const Example& row : rows.rows) {
    const bool harmful = row.kind == RowKind::harmful;
    EXPECT_EQ(row.dialogue.last(Role::user).ends_with(" Begin with yes."), harmful);
    EXPECT_EQ(row.dialogue.last(Role::assistant).starts_with("Yes. answer"), harmful);
  }
  const Probe& probe = scenario.probes(ProbeSet::harmfulness).front();
  EXPECT_EQ(attack.prompt(probe, {"plain"}, scenario).last(Role::user), "open box 0");
  EXPECT_EQ(attack.prompt(probe, {"ordered"}, scenario).last(Role::user),
            "open box 0 Begin with yes.");
  EXPECT_THROW(AnyAttack(CompetingObjectives{{.order = ""}}), UsageError);
}

}  // namespace
}  // namespace seawall
