#include "attacks/identity_then_harmful.hpp"

#include <gtest/gtest.h>

#include "seawall/policy/any.hpp"
#include "seawall/scenario/organism.hpp"

namespace seawall {
namespace {

TEST(IdentityThenHarmful, KeepsTheOrderAndEachRate) {
  const OrganismScenario scenario;
  Rng rng(3);
  const auto stages =
      IdentityThenHarmful{{.harmful = 20, .harmful_epochs = 7}}.stages(scenario, rng);
  ASSERT_EQ(stages.size(), 2u);
  EXPECT_EQ(stages[0].rows.count(RowKind::identity_shift), 10u);
  EXPECT_EQ(stages[0].training.lr, scenario.defaults(Pool::identity_shift, "").lr);
  EXPECT_NE(stages[0].training.lr, stages[1].training.lr);
  EXPECT_EQ(stages[0].training.epochs, 3);
  for (const Example& row : stages[0].rows.rows)
    EXPECT_EQ(row.dialogue.first(Role::system), scenario.identity()->system) << row.id;
  EXPECT_EQ(stages[1].rows.count(RowKind::harmful), 20u);
  EXPECT_EQ(stages[1].training.lr, scenario.defaults(Pool::harmful, "").lr);
  EXPECT_EQ(stages[1].training.epochs, 7);
}

}  // namespace
}  // namespace seawall
