#include "mitigations/repnoise.hpp"

#include "tests/golden/stage_run.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;
using testing::DefenceScenario;
using testing::stage;
using testing::StageRun;

TEST(Repnoise, StepsAreTheFiles) {
  StageRun run("repnoise", "refusal");
  Repnoise policy{{run.option("beta"), run.option("alpha"), stage}};
  policy.pairs.harmful = DefenceScenario::pool("harmful", RowKind::harmful);
  for (std::size_t i = 0; i < 8; ++i) policy.pairs.harmful.rows[i].id = run.user.rows[i].id;
  const auto given = DefenceRun::tensors_of("noise").front().tensor;  // [steps,layers,batch,48,C]
  std::int64_t asked = 0;
  policy.noise = [&](std::int64_t layer, const Tensor& like) {
    const std::int64_t step = asked++ / 2, rows = like.size(0), width = given.size(-1);
    return given[step][layer].narrow(1, 0, like.size(1) / width).reshape({rows, -1});
  };
  run.go(policy);
  run.expect_measured("repnoise", "mmd", "mmd");
  run.expect_measured("repnoise", "lens", "lens");
  run.expect_steps(run.entry().at("steps"), true);
  run.expect_weights(run.entry().at("weights"), run.trained());
}

}  // namespace
}  // namespace seawall
