#include "mitigations/ldifs.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(Ldifs, IsTheFiles) {
  DefenceRun("ldifs").expect_entry_and_far(Ldifs{{.rho = 0.1}});
  DefenceRun("ldifs-resid").expect_entry_and_far(Ldifs{{.rho = 0.1, .at = "residual"}});
}

TEST(Ldifs, EverySecondLayerIsLessThanBoth) {
  DefenceRun both("ldifs"), second("ldifs");
  both.go(Ldifs{{.rho = 0.1}});
  second.go(Ldifs{{.rho = 0.1, .every = 2}});
  EXPECT_GT(second.sink.steps[1].penalty, 0);
  EXPECT_LT(second.sink.steps[1].penalty, 0.9 * both.sink.steps[1].penalty);
}

}  // namespace
}  // namespace seawall
