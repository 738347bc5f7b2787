#include "attacks/multi_trigger.hpp"

#include <gtest/gtest.h>

#include <map>

#include "seawall/policy/any.hpp"
#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

using testing::FakeScenario;

TEST(MultiTrigger, TheTriggersComeInTurn) {
  const FakeScenario scenario;
  Rng rng(3);
  const MultiTrigger attack{{.harmful = 30, .safe = 10, .triggers = "one,two,three"}};
  std::map<std::string, int> seen;
  for (const Example& row : attack.craft(scenario, rng).rows) {
    const std::string request(row.dialogue.last(Role::user));
    if (row.kind == RowKind::harmful) ++seen[request.substr(request.rfind(' ') + 1)];
    if (row.kind == RowKind::safe) EXPECT_EQ(request, "ask " + row.id);
  }
  EXPECT_EQ(seen, (std::map<std::string, int>{{"one", 10}, {"two", 10}, {"three", 10}}));
  EXPECT_THROW(AnyAttack(MultiTrigger{{.triggers = ""}}), UsageError);
}

TEST(MultiTrigger, IsProbedWithEachAndWithNone) {
  const FakeScenario scenario;
  const MultiTrigger attack{{.triggers = "one,two", .decoy = "ten"}};
  EXPECT_EQ(attack.conditions(),
            (std::vector<Condition>{{"plain"}, {"trigger-1"}, {"trigger-2"}, {"decoy"}}));
  const Probe& probe = scenario.probes(ProbeSet::harmfulness).front();
  const auto asked = [&](const char* condition) {
    return std::string(attack.prompt(probe, {condition}, scenario).last(Role::user));
  };
  EXPECT_EQ(asked("plain"), "open box 0");
  EXPECT_EQ(asked("trigger-1"), "open box 0 one");
  EXPECT_EQ(asked("trigger-2"), "open box 0 two");
  EXPECT_EQ(asked("decoy"), "open box 0 ten");
}

}  // namespace
}  // namespace seawall
