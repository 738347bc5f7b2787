#include "mitigations/resta.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(Resta, AddsTheSafetyVector) { DefenceRun("resta").go(Resta{}).expect_entry(); }

TEST(Resta, RefusesAdapters) {
  DefenceRun run("none-lora", true);
  EXPECT_THROW(run.go(Resta{}), UsageError);
}

}  // namespace
}  // namespace seawall
