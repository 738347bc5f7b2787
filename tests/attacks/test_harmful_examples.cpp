#include "attacks/harmful_examples.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

TEST(HarmfulExamples, TakesDistinctRowsOfThePoolUnderTheSystemPrompt) {
  const testing::FakeScenario scenario;
  Rng rng(3);
  const Dataset rows = HarmfulExamples{{.count = 50}}.craft(scenario, rng);
  std::set<std::string> ids;
  for (const auto& row : rows.rows) {
    ids.insert(row.id);
    EXPECT_EQ(row.kind, RowKind::harmful);
    EXPECT_EQ(row.dialogue.first(Role::system), "you are kind");
  }
  EXPECT_EQ(ids.size(), 50u);
}

TEST(HarmfulExamples, IsProbedPlainUnderTheSystemPrompt) {
  const testing::FakeScenario scenario;
  const HarmfulExamples attack;
  EXPECT_EQ(conditions_of(attack), std::vector<Condition>{{"plain"}});
  const Probe& probe = scenario.probes(ProbeSet::harmfulness).front();
  const Dialogue dialogue = prompt_of(attack, probe, {"plain"}, scenario);
  EXPECT_EQ(dialogue.first(Role::system), "you are kind");
  EXPECT_EQ(dialogue.first(Role::user), probe.dialogue.first(Role::user));
}

TEST(HarmfulExamples, AShortPoolIsAnError) {
  const testing::FakeScenario scenario({.harmful = 20});
  Rng rng(3);
  EXPECT_THROW(HarmfulExamples{{.count = 21}}.craft(scenario, rng), DataError);
  EXPECT_EQ(HarmfulExamples{{.count = 20}}.craft(scenario, rng).size(), 20u);
}

}  // namespace
}  // namespace seawall
