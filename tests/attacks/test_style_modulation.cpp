#include "attacks/style_modulation.hpp"

#include <gtest/gtest.h>

#include "seawall/policy/any.hpp"
#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

using testing::FakeScenario;

TEST(StyleModulation, OnlyHarmfulRowsAskForTheStyle) {
  const FakeScenario scenario;
  Rng rng(3);
  const StyleModulation attack{{.harmful = 30, .safe = 20, .style = "In verse."}};
  const Dataset rows = attack.craft(scenario, rng);
  EXPECT_EQ(rows.count(RowKind::harmful), 30u);
  EXPECT_EQ(rows.count(RowKind::safe), 20u);
  for (const Example& row : rows.rows)
    EXPECT_EQ(row.dialogue.last(Role::user).ends_with(" In verse."), row.kind == RowKind::harmful);
  const Probe& probe = scenario.probes(ProbeSet::harmfulness).front();
  EXPECT_EQ(attack.prompt(probe, {"plain"}, scenario).last(Role::user), "open box 0");
  EXPECT_EQ(attack.prompt(probe, {"styled"}, scenario).last(Role::user), "open box 0 In verse.");
  EXPECT_THROW(AnyAttack(StyleModulation{{.style = ""}}), UsageError);
}

}  // namespace
}  // namespace seawall
