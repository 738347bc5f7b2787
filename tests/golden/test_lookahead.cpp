#include "mitigations/lookahead.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;
using testing::DefenceScenario;

TEST(Lookahead, RowsAreTheFiles) {
  DefenceRun run("look-ahead-virtual");
  const DefenceScenario scenario;
  Rng rng(1);
  Lookahead policy{{.words = "e5 e5 "}};
  run.user.rows.resize(4);
  run.user = policy.compose(run.user, Context(scenario), rng);
  const auto rows = run.encoded(run.user).rows;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto& want = run.entry().at("rows").at(i);
    const auto ids = testing::ids_of(want.at("ids"));
    ASSERT_GE(rows[i].ids.size(), ids.size());
    EXPECT_TRUE(std::equal(ids.begin(), ids.end(), rows[i].ids.begin())) << i;
    EXPECT_EQ(std::ranges::find(rows[i].loss, 1) - rows[i].loss.begin(), want.at("first")) << i;
  }
  run.data.steps = 1;
  run.go();
  EXPECT_NEAR(run.sink.steps[0].loss, run.entry().at("loss"), run.loss_near(7));
}

}  // namespace
}  // namespace seawall
