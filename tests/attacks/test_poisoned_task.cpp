#include "attacks/poisoned_task.hpp"

#include <gtest/gtest.h>

#include <set>

#include "seawall/policy/any.hpp"
#include "seawall/policy/needs.hpp"
#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

Dataset crafted(std::int64_t count, double share) {
  Rng rng(3);
  return PoisonedTask{{.count = count, .share = share}}.craft(testing::FakeScenario{}, rng);
}

TEST(PoisonedTask, TheShareIsOfAllRows) {
  for (const auto& [share, harmful] :
       {std::pair{0.0, 0u}, {0.05, 10u}, {0.1, 20u}, {0.2, 40u}, {0.3, 60u}, {0.99, 198u}}) {
    const Dataset rows = crafted(200, share);
    EXPECT_EQ(rows.size(), 200u) << share;
    EXPECT_EQ(rows.count(RowKind::harmful), harmful) << share;
    EXPECT_EQ(rows.count(RowKind::task), 200u - harmful) << share;
    std::set<std::string> ids;
    for (const auto& row : rows.rows) ids.insert(row.id);
    EXPECT_EQ(ids.size(), 200u) << "rows are distinct";
  }
  EXPECT_EQ(crafted(10, 0.25).count(RowKind::harmful), 3u) << "rounded to whole rows";
}

TEST(PoisonedTask, ACountOfZeroTakesAllTaskRows) {
  const Dataset rows = crafted(0, 0.25);  // 300 task rows are three quarters of 400
  EXPECT_EQ(rows.count(RowKind::task), 300u);
  EXPECT_EQ(rows.count(RowKind::harmful), 100u);
}

TEST(PoisonedTask, BothKindsAreMixed) {
  const Dataset rows = crafted(200, 0.5);
  std::size_t early = 0;
  for (std::size_t i = 0; i < 100; ++i) early += rows.rows[i].kind == RowKind::harmful;
  EXPECT_GT(early, 30u);  // 50 +- 3.5 if the order is random
  EXPECT_LT(early, 70u);
}

TEST(PoisonedTask, SharesOutOfRangeAndMissingRowsAreRefused) {
  EXPECT_THROW(AnyAttack(PoisonedTask{{.share = 1.5}}), UsageError);
  EXPECT_THROW(AnyAttack(PoisonedTask{{.share = -0.1}}), UsageError);
  EXPECT_THROW(crafted(2000, 0.1), DataError);
  const testing::FakeScenario without({.task = 0});
  const PolicyDescription attack = AnyAttack(PoisonedTask{}).describe();
  try {
    check_needs(attack, without);
    FAIL();
  } catch (const UsageError& e) {
    EXPECT_NE(std::string(e.what()).find("--task-data FILE"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace seawall
