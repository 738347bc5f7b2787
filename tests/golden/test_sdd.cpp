#include "mitigations/sdd.hpp"

#include "tests/golden/stage_run.hpp"

namespace seawall {
namespace {

using testing::stage;
using testing::StageRun;

/// Its rows, as the policy makes them.
TEST(Sdd, StepsAreTheFiles) {
  StageRun run("sdd");
  Sdd policy{{stage}};
  const Context context(run.scenario);
  Rng rng(1);
  run.user = policy.before(context, rng).front().rows;
  run.go().expect_entry();
}

}  // namespace
}  // namespace seawall
