#include "mitigations/row_weights.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(RowWeights, IsTheFiles) {
  DefenceRun run("row-weights");
  RowWeights policy{{.lr = 0.1, .rows = 8, .batch = 4}};
  Rng rng(1);
  policy.compose(run.user, Context(run.scenario), rng);
  run.go(policy);
  run.expect_steps(run.entry().at("steps"), true);  // the file's loss is the weighed one
  run.expect_weights(run.entry().at("weights"), run.trained());
}

TEST(RowWeights, ARowThatItDidNotSeeIsAnError) {
  EXPECT_THROW(DefenceRun("none").go(RowWeights{{.rows = 8}}), UsageError);
}

}  // namespace
}  // namespace seawall
