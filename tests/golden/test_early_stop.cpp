#include "mitigations/early_stop.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(EarlyStop, MeasuresTheFilesCourse) {
  DefenceRun run("early-stop");
  run.go(EarlyStop{{.rise = 0, .rows = 8}}).expect_entry();
  for (std::size_t i = 0; i < 2; ++i) {
    const double safety = run.entry().at("course").at(i + 1);
    EXPECT_NEAR(run.measured(i, "early-stop/safety"), safety, 1e-5 * safety);
  }
  EXPECT_EQ(run.result.stopped, "");  // it falls in this run
}

TEST(EarlyStop, StopsAfterTheStepThatCrosses) {
  DefenceRun run("early-stop");
  run.options.schedule.lr = 0.3;  // far too high: everything becomes unlikely
  run.data.steps = 6;
  run.go(EarlyStop{{.rise = 0.05, .rows = 8}});
  ASSERT_LT(run.sink.steps.size(), 6u);
  const double start = run.entry().at("course").at(0);
  EXPECT_GT(run.measured(run.sink.steps.size() - 1, "early-stop/safety"), start + 0.05);
  EXPECT_TRUE(run.result.stopped.starts_with("early-stop: ")) << run.result.stopped;
}

}  // namespace
}  // namespace seawall
