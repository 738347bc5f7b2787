#include "mitigations/lisa.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(Lisa, IsTheFiles) {
  DefenceRun run("lisa");
  nlohmann::json user;  // the safe steps are the policy's own
  for (const auto& step : run.entry().at("steps"))
    if (step.at("user") == 1) user.push_back(step);
  run.data.steps = static_cast<std::int64_t>(user.size());
  run.go(Lisa{{.k1 = 2, .k2 = 2, .rows = 8, .batch = 4, .rho = 1}});
  run.expect_steps(user);
  run.expect_weights(run.entry().at("weights"), run.trained());
  EXPECT_EQ(run.result.policy_steps, 4);
}

}  // namespace
}  // namespace seawall
