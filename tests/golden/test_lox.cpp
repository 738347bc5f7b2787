#include "mitigations/lox.hpp"

#include "seawall/train/weight_edit.hpp"
#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(Lox, GoesFartherBeforeTraining) {
  for (const std::int64_t k : {4, 0}) {
    DefenceRun run(k == 4 ? "lox" : "lox-full");
    Lox lox{{.k = k}};
    edit_weights(run.decoder(), run.options, run.sink, run.context,
                 [&](Trainer& trainer) { lox.on_start(trainer); });
    run.expect_weights(run.entry().at("weights"), run.decoder().parameters());
  }
}

TEST(Lox, TheFirstStepReadsTheMovedWeights) {
  DefenceRun plain("none"), moved("none");
  plain.go();
  moved.go(Lox{});
  EXPECT_GT(std::abs(moved.sink.steps[0].loss - plain.sink.steps[0].loss), 1e-3);
}

TEST(Lox, RefusesAdapters) {
  DefenceRun run("none-lora", true);
  EXPECT_THROW(run.go(Lox{}), UsageError);
}

}  // namespace
}  // namespace seawall
