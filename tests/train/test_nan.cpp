#include <cmath>

#include "seawall/core/error.hpp"
#include "tests/train/fixtures.hpp"
#include "tests/train/recording_policy.hpp"

namespace seawall {
namespace {

using namespace testing;

/// Runs until it throws; the error's text.
std::string stopped(TinyRun& run, Poison poison) {
  Stack stack{poison};
  try {
    run.go(stack);
  } catch (const RunError& error) {
    EXPECT_EQ(error.exit_code(), ExitCode::diverged);
    return error.what();
  }
  return "it ended";
}

TEST(NaN, ALossStopsBeforeTheWeightsAreTouched) {
  TinyRun run, six;
  std::vector<std::int64_t> saved;
  run.options.checkpoint_every = 3;
  run.context.checkpoint = [&](const CheckpointState& state) { saved.push_back(state.step); };
  EXPECT_EQ(stopped(run, Poison{.loss_call = 6}),
            "step 7: loss is NaN; the weights are those of step 6; lower --lr, look at the rows, "
            "or pass --on-nan skip");
  EXPECT_EQ(saved, (std::vector<std::int64_t>{3, 6}));
  EXPECT_EQ(run.sink.steps.size(), 6u);
  six.data.steps = 6;
  Stack stack{Poison{}};
  six.go(stack);
  EXPECT_TRUE(same_bits(run.decoder.parameters(), six.decoder.parameters()));
}

TEST(NaN, AGradientNamesItsParameter) {
  TinyRun run;
  EXPECT_EQ(stopped(run, Poison{.gradient_step = 1}),
            "step 2: gradient of " + run.decoder.parameters()[3].name +
                " is NaN or infinite; the weights are those of step 1; lower --lr, look at the "
                "rows, or pass --on-nan skip");
}

TEST(NaN, AWeightStopsBeforeACheckpoint) {
  TinyRun run;
  std::vector<std::int64_t> saved;
  run.options.checkpoint_every = 1;
  run.context.checkpoint = [&](const CheckpointState& state) { saved.push_back(state.step); };
  EXPECT_TRUE(
      stopped(run, Poison{.weight_step = 4}).starts_with("step 5: weights are no longer finite"));
  EXPECT_EQ(saved, (std::vector<std::int64_t>{1, 2, 3, 4}));
}

TEST(NaN, AnAbsurdLearningRateEndsAsDiverged) {
  TinyRun run;
  run.options.schedule.lr = 1e20;  // scores overflow, whatever the kernels round
  std::vector<std::int64_t> saved;
  run.options.checkpoint_every = 1;
  run.context.checkpoint = [&](const CheckpointState& state) {
    for (const auto& [name, tensor] : state.parameters)
      EXPECT_TRUE(at::isfinite(tensor).all().item<bool>()) << name;
  };
  EXPECT_NE(stopped(run, Poison{}), "it ended");
}

TEST(NaN, SkipLeavesTheStepOutAndCountsIt) {
  TinyRun run, clean;
  run.options.on_nan = OnNan::skip;
  Stack stack{Poison{.loss_call = 4}};
  run.go(stack);
  EXPECT_EQ(run.result.steps, 9);
  EXPECT_EQ(run.result.skipped, 1);
  ASSERT_EQ(run.sink.steps.size(), 9u);
  EXPECT_TRUE(std::isnan(run.sink.steps[4].penalty));
  EXPECT_EQ(run.sink.steps[4].moved, 0);
  EXPECT_EQ(run.sink.steps[4].drift, run.sink.steps[3].drift);
  EXPECT_TRUE(std::isfinite(run.sink.steps[8].loss));
  EXPECT_GT(run.sink.steps[5].moved, 0.9);
}

TEST(NaN, SkippingForEverIsNotARun) {
  TinyRun run;
  run.data.steps = 30;
  run.options.on_nan = OnNan::skip;
  NamedTensors weights = copy_of(run.decoder.parameters());
  weights[1].tensor.view(-1)[0].fill_(std::nan(""));
  run.decoder = Decoder(tiny_config(), weights);
  EXPECT_TRUE(
      stopped(run, Poison{}).ends_with("the 10th step in a row to be left out; lower --lr"));
  EXPECT_EQ(run.sink.steps.size(), 9u);
}

TEST(NaN, AWeightThatCameBrokenStopsAtStepOne) {
  TinyRun run;
  NamedTensors weights = copy_of(run.decoder.parameters());
  weights[1].tensor.view(-1)[0].fill_(std::nan(""));
  run.decoder = Decoder(tiny_config(), weights);
  EXPECT_TRUE(stopped(run, Poison{}).starts_with("step 1: loss is NaN"));
}

}  // namespace
}  // namespace seawall
