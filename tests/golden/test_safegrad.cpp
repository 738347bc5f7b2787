#include "mitigations/safegrad.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(Safegrad, IsTheFiles) {
  DefenceRun run("safegrad");
  run.go(Safegrad{{.weight = 1, .rows = 8, .batch = 4}});
  nlohmann::json steps = run.entry().at("steps");
  for (std::size_t i = 0; i < 2; ++i) {
    const double along = steps[i].at("along"), kl = steps[i].at("penalty");
    // At the start safety's gradient is rounding noise.
    EXPECT_NEAR(run.measured(i, "safegrad/along"), along, 1e-4 * std::abs(along) + 1e-5);
    EXPECT_NEAR(run.measured(i, "safegrad/kl"), kl, 1e-4 * kl + 1e-6);
    steps[i].erase("penalty");  // a gradient of its own, not part of the loss
  }
  run.expect_steps(steps);
  run.expect_weights(run.entry().at("weights"), run.trained());
}

}  // namespace
}  // namespace seawall
