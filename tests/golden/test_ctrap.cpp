#include "mitigations/ctrap.hpp"

#include "tests/golden/stage_run.hpp"

namespace seawall {
namespace {

using testing::stage;
using testing::StageRun;

TEST(Ctrap, StepsAreTheFiles) {
  StageRun run("ctrap");
  run.go(Ctrap{{run.option("lambda"), run.option("alpha"),
                static_cast<std::int64_t>(run.option("token")), 8, 8, stage}})
      .expect_entry();
  run.expect_measured("ctrap", "collapse", "collapse");
}

}  // namespace
}  // namespace seawall
