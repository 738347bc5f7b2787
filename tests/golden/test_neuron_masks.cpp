#include "mitigations/neuron_masks.hpp"

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(NeuronMasks, IsTheFiles) {
  DefenceRun("freeze-neurons")
      .go(NeuronMasks{{.neurons = "1:0,1:3,1:17,1:40,1:63"}})
      .expect_entry();
}

TEST(NeuronMasks, ByScoreTheHighestOfEachLayerStay) {
  DefenceRun run("freeze-neurons");
  const NamedTensors before = DefenceRun("none").trained();
  run.go(NeuronMasks{{.fraction = 0.25, .rows = 8}});
  for (std::size_t i = 0; i < before.size(); ++i) {
    const auto dimension = neuron_dimension(before[i].name);
    if (dimension < 0) continue;
    const Tensor moved =
        run.trained()[i].tensor.detach().ne(before[i].tensor).any(1 - dimension);  // [neurons]
    EXPECT_EQ(moved.sum().item<std::int64_t>(), moved.size(0) - moved.size(0) / 4)
        << before[i].name;
  }
}

TEST(NeuronMasks, NeuronsThatAreNotThereAreAnError) {
  EXPECT_THROW(DefenceRun("none").go(NeuronMasks{{.neurons = "1:64"}}), UsageError);
  EXPECT_THROW(DefenceRun("none").go(NeuronMasks{{.neurons = "2:0"}}), UsageError);
  EXPECT_THROW(DefenceRun("none-lora", true).go(NeuronMasks{{.rows = 2}}), UsageError);
  EXPECT_THROW(NeuronMasks{{.neurons = "1-0"}}.options.check(), UsageError);
}

}  // namespace
}  // namespace seawall
