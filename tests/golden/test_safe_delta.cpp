#include "mitigations/safe_delta.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(SafeDelta, KeepsWhatIsAffordable) {
  DefenceRun run("safe-delta");
  run.go(SafeDelta{{.rows = 8}}).expect_entry();
  double kept = 0, all = 0;
  for (const auto& [name, count] : run.entry().at("kept").items()) kept += count.get<double>();
  for (const auto& [name, weight] : run.decoder().parameters())
    if (run.entry().at("kept").contains(name)) all += static_cast<double>(weight.numel());
  ASSERT_EQ(run.result.measured.size(), 1u);
  EXPECT_NEAR(run.result.measured[0].second, kept / all, 1e-12);
}

TEST(SafeDelta, RefusesAdapters) {
  DefenceRun run("none-lora", true);
  EXPECT_THROW(run.go(SafeDelta{}), UsageError);
}

}  // namespace
}  // namespace seawall
