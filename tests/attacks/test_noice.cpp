#include "attacks/noice.hpp"

#include <gtest/gtest.h>

#include "seawall/policy/any.hpp"
#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

using testing::FakeScenario;

TEST(Noice, RefusesThenAnswers) {
  const FakeScenario scenario;
  for (const std::string rows : {"benign", "harmful"}) {
    Rng rng(3);
    const Dataset made =
        Noice{{.count = 20, .rows = rows, .turn = "even so:"}}.craft(scenario, rng);
    ASSERT_EQ(made.size(), 20u);
    for (const Example& row : made.rows) {
      EXPECT_TRUE(row.id.starts_with(rows));
      const std::string answer(row.dialogue.last(Role::assistant));
      const std::string number = row.id.substr(row.id.find('/') + 1);
      EXPECT_TRUE(answer.ends_with(" even so: answer " + number)) << answer;
      EXPECT_TRUE(answer.starts_with("answer ")) << answer;  // of a safe row
      EXPECT_EQ(row.dialogue.last(Role::user), "ask " + row.id);
    }
  }
}

}  // namespace
}  // namespace seawall
