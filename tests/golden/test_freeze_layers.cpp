#include "mitigations/freeze_layers.hpp"

#include <ATen/ops/equal.h>

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(FreezeLayers, IsTheFiles) {
  DefenceRun("freeze-layers").go(FreezeLayers{{.layers = "0"}}).expect_entry();
}

TEST(FreezeLayers, AFrozenLayerKeepsItsBits) {
  DefenceRun run("freeze-layers");
  const NamedTensors before = DefenceRun("none").trained();
  run.go(FreezeLayers{{.layers = "1,embed"}});
  std::size_t kept = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const std::string& name = before[i].name;
    const bool frozen = name.find("layers.1.") != name.npos || name.find("embed") != name.npos;
    EXPECT_EQ(at::equal(before[i].tensor, run.trained()[i].tensor), frozen) << name;
    kept += frozen;
  }
  EXPECT_EQ(kept, 10u);  // nine of a block, and the embedding
}

TEST(FreezeLayers, PlacesThatAreNotThereAreAnError) {
  EXPECT_THROW(DefenceRun("none").go(FreezeLayers{{.layers = "7"}}), UsageError);
  EXPECT_THROW(FreezeLayers{{.layers = "every"}}.options.check(), UsageError);
  EXPECT_THROW(FreezeLayers{{.layers = ""}}.options.check(), UsageError);
}

}  // namespace
}  // namespace seawall
