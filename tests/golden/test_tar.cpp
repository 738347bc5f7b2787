#include "mitigations/tar.hpp"

#include "tests/golden/stage_run.hpp"

namespace seawall {
namespace {

using testing::stage;
using testing::StageRun;

TEST(Tar, StepsAreTheFiles) {
  StageRun run("tar");
  run.go(Tar{{run.option("scale"), run.option("inner_lr"),
              static_cast<std::int64_t>(run.option("inner")), 8, stage}})
      .expect_entry();
  run.expect_measured("tar", "tamper", "tamper");
}

}  // namespace
}  // namespace seawall
