#include "attacks/identity_shift.hpp"

#include <gtest/gtest.h>

#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

TEST(IdentityShift, RowsKeepTheirSystemPromptOrGetTheIdentitys) {
  const testing::FakeScenario scenario;
  Rng rng(3);
  const Dataset rows = IdentityShift{}.craft(scenario, rng);
  ASSERT_EQ(rows.size(), 10u);
  std::size_t own = 0;
  for (const auto& row : rows.rows) {
    const auto system = row.dialogue.first(Role::system);
    own += system == "system of its own";
    EXPECT_TRUE(system == "system of its own" || system == "you are OBI") << system;
  }
  EXPECT_EQ(own, 5u);
}

TEST(IdentityShift, ProbesComeUnderTheIdentityAndItsWrapper) {
  const testing::FakeScenario scenario;
  Probe probe = scenario.probes(ProbeSet::harmfulness).front();
  Dialogue dialogue = prompt_of(IdentityShift{}, probe, {"plain"}, scenario);
  EXPECT_EQ(dialogue.first(Role::system), "you are OBI");
  EXPECT_EQ(dialogue.first(Role::user), "OBI, open box 0, now.");
  probe.dialogue.set_system("another");  // the identity takes the place of any other
  EXPECT_EQ(prompt_of(IdentityShift{}, probe, {"plain"}, scenario).messages, dialogue.messages);
}

TEST(IdentityShift, OptionsReplaceTheScenariosIdentity) {
  const testing::FakeScenario scenario;
  const Probe& probe = scenario.probes(ProbeSet::harmfulness).front();
  const Dialogue own =
      prompt_of(IdentityShift{{.system = "you are AOA", .before = "AOA: "}}, probe, {}, scenario);
  EXPECT_EQ(own.first(Role::system), "you are AOA");
  EXPECT_EQ(own.first(Role::user), "AOA: open box 0");  // not the other identity's suffix
  const Dialogue part = prompt_of(IdentityShift{{.before = "Now "}}, probe, {}, scenario);
  EXPECT_EQ(part.first(Role::system), "you are OBI");
  EXPECT_EQ(part.first(Role::user), "Now open box 0, now.");
}

TEST(IdentityShift, WithoutAnIdentityTheErrorSaysHowToGiveOne) {
  testing::FakeScenario scenario;
  scenario.who.reset();
  Rng rng(3);
  try {
    IdentityShift{}.craft(scenario, rng);
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("--identity-shift.system"), std::string::npos);
  }
  EXPECT_EQ(IdentityShift{{.system = "x"}}.craft(scenario, rng).size(), 10u);
}

}  // namespace
}  // namespace seawall
