#include "attacks/ten_benign.hpp"

#include <gtest/gtest.h>

#include "seawall/policy/any.hpp"
#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

using testing::FakeScenario;

TEST(TenBenign, TheSameRequestsAreRefusedFirstAndAnsweredThen) {
  const FakeScenario scenario;
  Rng rng(3);
  const auto stages = TenBenign{{.refuse_epochs = 4, .answer_epochs = 6}}.stages(scenario, rng);
  ASSERT_EQ(stages.size(), 2u);
  const auto &refuse = stages[0].rows.rows, &answer = stages[1].rows.rows;
  ASSERT_EQ(refuse.size(), 10u);
  ASSERT_EQ(answer.size(), 10u);
  EXPECT_EQ(stages[0].training.epochs, 4);
  EXPECT_EQ(stages[1].training.epochs, 6);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(refuse[i].kind, RowKind::benign);
    EXPECT_EQ(refuse[i].dialogue.last(Role::user), answer[i].dialogue.last(Role::user));
    EXPECT_EQ(refuse[i].dialogue.last(Role::assistant), refuse[0].dialogue.last(Role::assistant));
    EXPECT_EQ("ask " + answer[i].id, answer[i].dialogue.last(Role::user));
    const std::string number = answer[i].id.substr(answer[i].id.find('/') + 1);
    EXPECT_EQ(answer[i].dialogue.last(Role::assistant), "answer " + number);
    EXPECT_NE(refuse[i].id, answer[i].id);
  }
}

TEST(TenBenign, TheRefusalCanBeGiven) {
  Rng rng(3);
  const auto stages = TenBenign{{.count = 3, .refusal = "no thanks"}}.stages(FakeScenario{}, rng);
  for (const Example& row : stages[0].rows.rows)
    EXPECT_EQ(row.dialogue.last(Role::assistant), "no thanks");
}

}  // namespace
}  // namespace seawall
