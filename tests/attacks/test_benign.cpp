#include "attacks/benign.hpp"

#include <gtest/gtest.h>

#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

TEST(Benign, TakesRowsOfTheFlavour) {
  const testing::FakeScenario scenario;
  Rng rng(3);
  const Dataset rows = Benign{{.count = 40, .flavour = ":plain"}}.craft(scenario, rng);
  EXPECT_EQ(rows.count(RowKind::benign), 40u);
  EXPECT_EQ(rows.size(), 40u);
  for (const auto& row : rows.rows) EXPECT_TRUE(row.dialogue.first(Role::user).ends_with(":plain"));
}

TEST(Benign, AsksForAThousandRowsByItself) {
  Rng rng(3);
  EXPECT_EQ(Benign{}.craft(testing::FakeScenario{}, rng).size(), 1000u);
  EXPECT_THROW(Benign{}.craft(testing::FakeScenario({.benign = 999}), rng), DataError);
}

}  // namespace
}  // namespace seawall
