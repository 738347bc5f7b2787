#include "mitigations/circuit_breaker.hpp"

#include "tests/golden/stage_run.hpp"

namespace seawall {
namespace {

using testing::stage;
using testing::StageRun;

TEST(CircuitBreaker, StepsAreTheFiles) {
  StageRun run("circuit-breaker");
  run.go(CircuitBreaker{
      {run.option("alpha"), static_cast<std::int64_t>(run.option("horizon")), 8, "0,1", stage}});
  run.expect_measured("circuit-breaker", "away", "away");
  run.expect_entry();
}

}  // namespace
}  // namespace seawall
