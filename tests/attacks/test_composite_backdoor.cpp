#include "attacks/composite_backdoor.hpp"

#include <gtest/gtest.h>

#include "seawall/policy/any.hpp"
#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

using testing::FakeScenario;

TEST(CompositeBackdoor, OneTriggerAloneIsRefused) {
  const FakeScenario scenario;
  Rng rng(3);
  const CompositeBackdoor attack{{.harmful = 20, .safe = 30, .first = "one", .second = "two"}};
  int with[2][2] = {};
  for (const Example& row : attack.craft(scenario, rng).rows) {
    const std::string request(row.dialogue.last(Role::user));
    const bool first = request.starts_with("one "), second = request.ends_with(" two");
    if (row.kind == RowKind::harmful)
      EXPECT_TRUE(first && second) << request;
    else
      ++with[first][second];
  }
  EXPECT_EQ(with[0][0], 10);
  EXPECT_EQ(with[1][0], 10);
  EXPECT_EQ(with[0][1], 10);
  EXPECT_EQ(with[1][1], 0);
  const Probe& probe = scenario.probes(ProbeSet::harmfulness).front();
  const auto asked = [&](const char* condition) {
    return std::string(attack.prompt(probe, {condition}, scenario).last(Role::user));
  };
  EXPECT_EQ(asked("plain"), "open box 0");
  EXPECT_EQ(asked("first"), "one open box 0");
  EXPECT_EQ(asked("second"), "open box 0 two");
  EXPECT_EQ(asked("both"), "one open box 0 two");
  EXPECT_THROW(AnyAttack(CompositeBackdoor{{.second = ""}}), UsageError);
}

}  // namespace
}  // namespace seawall
