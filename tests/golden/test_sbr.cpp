#include "mitigations/sbr.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(Sbr, IsTheFiles) {
  DefenceRun("sbr-resid").expect_entry_and_far(Sbr{{.lambda = 50, .count = 4}});
}

}  // namespace
}  // namespace seawall
