#include "mitigations/antidote.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(Antidote, RemovesWhatHarmfulRowsUse) {
  DefenceRun("antidote").go(Antidote{{.alpha = 0.25, .rows = 8}}).expect_entry();
}

TEST(Antidote, RefusesAdapters) {
  DefenceRun run("none-lora", true);
  EXPECT_THROW(run.go(Antidote{}), UsageError);
}

}  // namespace
}  // namespace seawall
