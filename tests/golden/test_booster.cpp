#include "mitigations/booster.hpp"

#include "tests/golden/stage_run.hpp"

namespace seawall {
namespace {

using testing::stage;
using testing::StageRun;

TEST(Booster, StepsAreTheFiles) {
  StageRun run("booster");
  run.go(Booster{{run.option("lambda"), run.option("alpha"), 8, stage}}).expect_entry();
  run.expect_measured("booster", "harmful-norm", "harmful_norm");
  EXPECT_EQ(run.result.forward_passes, 6);
  EXPECT_EQ(run.result.backward_passes, 6);
}

}  // namespace
}  // namespace seawall
