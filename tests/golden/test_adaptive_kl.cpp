#include "mitigations/adaptive_kl.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(AdaptiveKl, IsTheFiles) {
  DefenceRun run("adaptive-regularization");
  const auto risks = run.entry().at("options").at("risks");
  for (int i = 0; i < 8; ++i)
    run.scenario.grades["user/" + std::to_string(i)] = risks.at(i < 4 ? 0 : 1);
  run.go(AdaptiveKl{}).expect_entry();
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_NEAR(run.measured(i, "adaptive-kl/weight"), run.entry().at("steps").at(i).at("weight"),
                1e-12);
}

TEST(AdaptiveKl, ARowWithoutAGradeIsAnError) {
  EXPECT_THROW(DefenceRun("none").go(AdaptiveKl{}), UsageError);
}

}  // namespace
}  // namespace seawall
