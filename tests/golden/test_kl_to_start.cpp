#include "mitigations/kl_to_start.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(KlToStart, IsTheFiles) {
  DefenceRun("kl-to-start").expect_entry_and_far(KlToStart{{.lambda = 1}});
}

TEST(KlToStart, TheOtherDirectionIsAnother) {
  DefenceRun one("kl-to-start"), two("kl-to-start");
  one.go(KlToStart{{.lambda = 1}});
  two.go(KlToStart{{.lambda = 1, .direction = "now-start"}});
  // Both vanish at the start and agree in second order.
  EXPECT_NE(one.sink.steps[1].penalty, two.sink.steps[1].penalty);
  EXPECT_NEAR(one.sink.steps[1].penalty, two.sink.steps[1].penalty,
              0.1 * one.sink.steps[1].penalty);
}

}  // namespace
}  // namespace seawall
