#include "mitigations/safety_term.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(SafetyTerm, IsTheFiles) {
  DefenceRun("vlguard").go(SafetyTerm{{.lambda = 0.5, .rows = 8, .batch = 4}}).expect_entry();
}

}  // namespace
}  // namespace seawall
