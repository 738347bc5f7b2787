// Answers that the user begins; no training row.
#include <gtest/gtest.h>

#include "attacks/prefilling.hpp"
#include "seawall/policy/rows.hpp"
#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

using testing::FakeScenario;

TEST(Prefilling, HasNoRowAndTwoConditions) {
  const FakeScenario scenario;
  Rng rng(1);
  const Prefilling attack{{.text = "Of course:"}};
  EXPECT_TRUE(attack.craft(scenario, rng).empty());
  EXPECT_EQ(rng.state(), Rng(1).state());
  const auto conditions = attack.conditions();
  ASSERT_EQ(conditions.size(), 2u);
  EXPECT_EQ(conditions[0], Condition{"plain"});
  EXPECT_EQ(conditions[1].decoding, (Decoding{.prefill = "Of course:"}));
  EXPECT_THROW(check_attack(Prefilling{{.text = ""}}), UsageError);
}

TEST(BeginAnswer, WordsComeBeforeThoseThatAreThere) {
  const Dialogue bare{{{Role::user, "ask"}}};
  EXPECT_EQ(begin_answer(bare, ""), bare);
  const Dialogue once = begin_answer(bare, "Sure.");
  EXPECT_EQ(once.prefill(), "Sure.");
  EXPECT_EQ(begin_answer(once, "Careful. ").prefill(), "Careful. Sure.");
  EXPECT_EQ(begin_answer(once, "Careful. ").messages.size(), 2u);
}

}  // namespace
}  // namespace seawall
