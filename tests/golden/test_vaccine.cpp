#include "mitigations/vaccine.hpp"

#include "tests/golden/stage_run.hpp"

namespace seawall {
namespace {

using testing::stage;
using testing::StageRun;

/// A prefix that rows share is one place for the policy, so here they share none.
TEST(Vaccine, StepsAreTheFiles) {
  StageRun run("vaccine");
  run.data.share_prefixes = false;
  run.go(Vaccine{{run.option("rho"), stage}});
  const auto& steps = run.entry().at("steps");
  run.expect_weights(run.entry().at("weights"), run.trained());
  for (std::size_t i = 0; i < 2; ++i) {
    const double want = steps.at(i).at("loss");  // the second pass's
    EXPECT_NEAR(run.sink.steps.at(i).loss + run.sink.steps.at(i).penalty, want,
                run.loss_near(want));
    EXPECT_NEAR(run.sink.steps.at(i).grad_norm, steps.at(i).at("grad_norm"),
                run.norm_near(steps.at(i).at("grad_norm")));
  }
}

}  // namespace
}  // namespace seawall
