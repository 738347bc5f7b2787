#include "mitigations/spf.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(Spf, IsTheFiles) {
  DefenceRun run("safe-subspace-spf");
  run.scenario.first[Pool::safe] = 4;  // the file's one safe sample
  run.go(Spf{{.rank = 2, .rows = 1}}).expect_entry();
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_EQ(run.measured(i, "spf/conflicts"), run.entry().at("steps").at(i).at("conflicts"));
}

}  // namespace
}  // namespace seawall
