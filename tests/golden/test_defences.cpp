// Published defences against data/golden/defences.json, each through the real training loop.
#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;
using testing::defences;
using testing::DefenceScenario;

TEST(Defences, RowsAreTheFiles) {
  const DefenceRun run("none");
  for (const std::string pool : {"user", "safe", "harmful", "benign", "refusal"}) {
    const auto rows = run.encoded(DefenceScenario::pool(pool, RowKind::other)).rows;
    ASSERT_EQ(rows.size(), 8u);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto& want = defences().at("rows").at(pool).at(i);
      std::vector<std::int32_t> ids = testing::ids_of(want.at("ids"));
      ASSERT_GE(rows[i].ids.size(), ids.size()) << pool << i;
      // The template ends a turn with a line; the file's rows end with the last target.
      EXPECT_TRUE(std::equal(ids.begin(), ids.end(), rows[i].ids.begin())) << pool << i;
      for (std::size_t t = 0; t < rows[i].ids.size(); ++t)
        EXPECT_EQ(rows[i].loss.at(t) != 0, t >= want.at("first") && t < ids.size()) << pool << i;
    }
  }
}

TEST(Defences, WithoutPoliciesTheStepsAreTheFiles) {
  DefenceRun("none").go().expect_entry();
  DefenceRun("none-lora", true).go().expect_entry();
}

}  // namespace
}  // namespace seawall
