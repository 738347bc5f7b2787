#include "mitigations/asft.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(Asft, PaysForWhatIsOutsideOfAlignment) { DefenceRun("asft", true).go(Asft{}).expect_entry(); }

TEST(Asft, TakesTheWholeDifferenceInFullFineTuning) {
  DefenceRun("asft-full").go(Asft{{.lambda = 100}}).expect_entry();
}

}  // namespace
}  // namespace seawall
