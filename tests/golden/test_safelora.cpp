#include "mitigations/safelora.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(Safelora, ProjectsWhatWentAgainstAlignment) {
  DefenceRun run("safe-lora", true);
  run.go(Safelora{{.tau = 0.8}}).expect_entry();
  ASSERT_EQ(run.result.measured.size(), 1u);
  EXPECT_EQ(run.result.measured[0].second, 4);  // cosines of the entry that are below 0.8
}

TEST(Safelora, TakesTheWholeDifferenceInFullFineTuning) {
  DefenceRun("safe-lora-full").go(Safelora{{.tau = 0.65}}).expect_entry();
}

TEST(Safelora, AModelThatIsTheAlignedOneGivesNoDirection) {
  DefenceRun run("none-lora", true);
  run.context.services.other_model = [&run](const std::string&) {
    return run.decoder().parameters();
  };
  EXPECT_THROW(run.go(Safelora{}), DataError);
}

}  // namespace
}  // namespace seawall
