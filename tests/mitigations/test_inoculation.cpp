// Rows are asked for under one system prompt; probes are left alone.
#include <gtest/gtest.h>

#include "mitigations/inoculation.hpp"
#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

using testing::FakeScenario;

TEST(Inoculation, EveryRowIsUnderThePromptAndNothingElseChanges) {
  const FakeScenario scenario;
  Rng draw(1), rng(2);
  const Dataset data = scenario.rows(Pool::identity_shift, 10, draw, "");
  Inoculation policy{{.system = "break the rules"}};
  const Dataset out = policy.compose(data, scenario, rng);
  ASSERT_EQ(out.size(), data.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    Example want = data.rows[i];
    want.dialogue.set_system("break the rules");
    EXPECT_EQ(out.rows[i], want);
  }
  EXPECT_EQ(rng.state(), Rng(2).state());
  EXPECT_THROW(Stack{Inoculation{{.system = ""}}}, UsageError);
}

TEST(Inoculation, ProbesAreNot) {
  Stack stack{Inoculation{}};
  EXPECT_FALSE(stack.uses(Hook::prompt));
  EXPECT_TRUE(stack.conditions().empty());
}

}  // namespace
}  // namespace seawall
