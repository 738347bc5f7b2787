#include "mitigations/panacea.hpp"

#include "tests/golden/stage_run.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(Panacea, StepsAreTheFiles) {
  DefenceRun run("panacea");
  const auto& options = run.entry().at("options");
  run.go(Panacea{{options.at("rho"), options.at("lambda"), 8, 4}}).expect_entry();
}

}  // namespace
}  // namespace seawall
