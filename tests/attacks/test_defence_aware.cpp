#include "attacks/defence_aware.hpp"

#include <gtest/gtest.h>

#include "seawall/policy/any.hpp"
#include "tests/attacks/watched.hpp"
#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

using testing::FakeScenario;
using testing::watched;

TEST(DefenceAware, KicksOnlyAgainstWhatActsInTraining) {
  const FakeScenario scenario;
  const DefenceAware attack{{.count = 20, .benign = 30, .kick = 4}};
  Rng one(3), two(3);
  const auto filtered = attack.stages(watched(scenario, Hook::compose), one);
  ASSERT_EQ(filtered.size(), 1u);
  EXPECT_EQ(filtered[0].rows.count(RowKind::harmful), 20u);
  const auto held = attack.stages(watched(scenario, Hook::penalty), two);
  ASSERT_EQ(held.size(), 2u);
  EXPECT_EQ(held[0].rows.count(RowKind::benign), 30u);
  const double usual = scenario.defaults(Pool::benign, "").lr;
  EXPECT_DOUBLE_EQ(held[0].training.lr.value(), 4 * usual);
  EXPECT_EQ(held[1].rows.count(RowKind::harmful), 20u);
  for (const Example& row : held[1].rows.rows) EXPECT_EQ((row.id.back() - '0') % 2, 0) << row.id;
}

TEST(DefenceAware, AnAlignmentStageIsNotFaced) {
  const FakeScenario scenario;
  Rng rng(3);
  const auto context = watched(scenario, Hook::before | Hook::before_step);
  EXPECT_EQ(DefenceAware{}.stages(context, rng).size(), 1u);
}

}  // namespace
}  // namespace seawall
