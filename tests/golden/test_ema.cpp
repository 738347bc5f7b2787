#include "mitigations/ema.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(Ema, IsTheFiles) { DefenceRun("ema").go(Ema{{.decay = 0.25}}).expect_entry(); }

}  // namespace
}  // namespace seawall
