#include "mitigations/ewc.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(Ewc, IsTheFiles) {
  DefenceRun run("ewc");
  run.go(Ewc{{.lambda = 1000, .rows = 8}}).expect_entry();
}

TEST(Ewc, MeanOneIsTheSameUpToTheScale) {
  DefenceRun one("ewc"), two("ewc");
  one.go(Ewc{{.lambda = 1, .rows = 8, .fisher = "mean-one"}});
  two.go(Ewc{{.lambda = 2, .rows = 8, .fisher = "mean-one"}});
  const double drift = one.sink.steps[0].drift;  // about lr for each weight, by Adam's first step
  EXPECT_GT(one.sink.steps[1].penalty, 0.1 * drift * drift);
  EXPECT_LT(one.sink.steps[1].penalty, 10 * drift * drift);
  EXPECT_NEAR(two.sink.steps[1].penalty, 2 * one.sink.steps[1].penalty, 1e-5);
}

}  // namespace
}  // namespace seawall
