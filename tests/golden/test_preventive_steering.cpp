#include "mitigations/preventive_steering.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(PreventiveSteering, IsTheFiles) {
  DefenceRun("preventive-steering").go(PreventiveSteering{{.alpha = 1, .rows = 4}}).expect_entry();
}

TEST(PreventiveSteering, OneLayerIsNotAll) {
  DefenceRun all("preventive-steering"), one("preventive-steering");
  all.go(PreventiveSteering{{.alpha = 1, .rows = 4}});
  one.go(PreventiveSteering{{.alpha = 1, .layer = 0, .rows = 4}});
  EXPECT_NE(all.sink.steps[0].grad_norm, one.sink.steps[0].grad_norm);
  DefenceRun none("preventive-steering");
  EXPECT_THROW(none.go(PreventiveSteering{{.layer = 2, .rows = 4}}), UsageError);
}

}  // namespace
}  // namespace seawall
