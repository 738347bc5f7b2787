#include "mitigations/crl.hpp"

#include "tests/golden/stage_run.hpp"

namespace seawall {
namespace {

using testing::stage;
using testing::StageRun;

TEST(Crl, StepsAreTheFiles) {
  StageRun run("crl");
  run.go(Crl{{.safe = run.option("a"),
              .of_harmful = run.option("b"),
              .margin_safe = run.option("margin_p"),
              .margin_harmful = run.option("margin_n"),
              .raw = true,
              .harmful = 8,
              .layers = "0,1",
              .stage = stage}});
  run.expect_steps(run.entry().at("steps"), true);
  run.expect_weights(run.entry().at("weights"), run.trained());
}

TEST(Crl, UnitVectorsDifferFromRawOnes) {
  const auto norm_with = [](bool raw) {
    StageRun run("crl");
    run.go(Crl{{.raw = raw, .harmful = 8, .layers = "0,1", .stage = stage}});
    return run.sink.steps[0].grad_norm;
  };
  EXPECT_NE(norm_with(true), norm_with(false));
}

}  // namespace
}  // namespace seawall
