#include "mitigations/splora.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(Splora, PrunesTheFarthestAdapters) {
  DefenceRun("splora", true).go(Splora{{.count = 2}}).expect_entry();
}

TEST(Splora, PutsTheFarthestMatricesBackInFullFineTuning) {
  DefenceRun("splora-full").go(Splora{{.count = 5}}).expect_entry();
}

}  // namespace
}  // namespace seawall
