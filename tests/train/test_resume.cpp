#include <ATen/Parallel.h>

#include <filesystem>

#include "seawall/core/error.hpp"
#include "seawall/store/checkpoint.hpp"
#include "tests/train/fixtures.hpp"
#include "tests/train/recording_policy.hpp"

namespace seawall {
namespace {

using namespace testing;

struct ResumeCase {
  Precision precision;
  std::int64_t at;  // updates before the stop; an epoch has 3
  int threads;
};

class Resume : public ::testing::TestWithParam<ResumeCase> {};

auto stack_of() { return Stack{PullAfter{}, Reweigh{}}; }

/// A run of 9 steps on micro-batches, and the state it had after `at` of them, through a file.
TEST_P(Resume, ContinuesToTheSameBits) {
  const auto& [precision, stop, threads] = GetParam();
  const int before = at::get_num_threads();
  at::set_num_threads(threads);
  const auto folder = std::filesystem::path(::testing::TempDir()) /
                      ("seawall-resume-" + std::to_string(::getpid()));
  std::filesystem::remove_all(folder);

  const auto configure = [&](TinyRun& run) {
    run.data.micro_batch_size = 3;
    run.options.precision = precision;
    run.options.config_hash = "abc";
    run.options.clip_norm = 1.0;
  };
  TinyRun whole;
  configure(whole);
  whole.options.checkpoint_every = stop;
  CheckpointState last;
  whole.context.checkpoint = [&](CheckpointState state) {
    if (state.step == stop) save_checkpoint(folder, state);
    if (state.numbers.at("finished") == 1)
      for (auto& [name, tensor] : state.optimizer) last.optimizer.push_back({name, tensor.clone()});
  };
  auto stack = stack_of();
  whole.go(stack);

  const LoadedCheckpoint loaded = load_checkpoint(folder);
  ASSERT_EQ(loaded.state.step, stop);
  TinyRun rest;
  configure(rest);
  rest.context.resume = &loaded.state;
  NamedTensors optimizer;
  rest.context.checkpoint = [&](CheckpointState state) {
    for (auto& [name, tensor] : state.optimizer) optimizer.push_back({name, tensor.clone()});
  };
  auto again = stack_of();
  rest.go(again);
  at::set_num_threads(before);

  EXPECT_TRUE(same_bits(rest.decoder.parameters(), whole.decoder.parameters()));
  // A policy that compares with theta0 makes those passes once more.
  EXPECT_GE(rest.result.forward_passes, whole.result.forward_passes);
  EXPECT_EQ(rest.result.backward_passes, whole.result.backward_passes);
  if (stop < 9) {
    EXPECT_TRUE(same_bits(optimizer, last.optimizer));
  }
  ASSERT_EQ(rest.sink.steps.size(), static_cast<std::size_t>(9 - stop));
  for (std::size_t i = 0; i < rest.sink.steps.size(); ++i) {
    const StepRecord &a = rest.sink.steps[i],
                     &b = whole.sink.steps[i + static_cast<std::size_t>(stop)];
    EXPECT_EQ(a.step, b.step);
    EXPECT_EQ(a.epoch, b.epoch);
    EXPECT_EQ(a.loss, b.loss);
    EXPECT_EQ(a.lr, b.lr);
    EXPECT_EQ(a.grad_norm, b.grad_norm);
    EXPECT_EQ(a.tokens, b.tokens);
    EXPECT_EQ(a.moved, b.moved);
    EXPECT_EQ(a.drift, b.drift);
    EXPECT_EQ(a.param_drift, b.param_drift);
  }
  EXPECT_EQ(rest.result.final.drift, whole.result.final.drift);
  std::filesystem::remove_all(folder);
}

// Step 1, an epoch edge (3), the middle of an epoch (7), one before the end, the end.
INSTANTIATE_TEST_SUITE_P(
    Steps, Resume,
    ::testing::Values(ResumeCase{Precision::fp32, 1, 1}, ResumeCase{Precision::fp32, 3, 1},
                      ResumeCase{Precision::fp32, 7, 1}, ResumeCase{Precision::fp32, 7, 2},
                      ResumeCase{Precision::fp32, 8, 2}, ResumeCase{Precision::fp32, 9, 1},
                      ResumeCase{Precision::bf16_master, 7, 1},
                      ResumeCase{Precision::pure_bf16, 7, 1}, ResumeCase{Precision::kahan, 7, 1}),
    [](const auto& info) {
      std::string name(precision_name(info.param.precision));
      std::replace(name.begin(), name.end(), '-', '_');
      return name + "_step" + std::to_string(info.param.at) + "_threads" +
             std::to_string(info.param.threads);
    });

/// The state of a run after 3 steps.
CheckpointState some_state() {
  TinyRun run;
  run.data.steps = 3;
  CheckpointState out;
  run.context.checkpoint = [&](CheckpointState state) { out = std::move(state); };
  run.go();
  return out;
}

TEST(ResumeRefuses, AnotherRun) {
  CheckpointState state = some_state();
  const auto refused = [&](auto change) {
    TinyRun run;
    run.context.resume = &state;
    change(run);
    try {
      run.go();
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("went on");
  };
  EXPECT_EQ(refused([](TinyRun& run) { run.options.config_hash = "other"; }),
            "resume: configuration: this run has other, the checkpoint ; resume with the options "
            "the run was started with, or start again");
  EXPECT_NE(refused([](TinyRun& run) {
              run.options.seed = 9;
            }).find("seed: this run has 9, the checkpoint 3"),
            std::string::npos);
  EXPECT_NE(
      refused([](TinyRun& run) { run.options.precision = Precision::kahan; }).find("precision"),
      std::string::npos);
  EXPECT_NE(
      refused([](TinyRun& run) { run.data.steps = 2; }).find("of step 3, this run has 2 steps"),
      std::string::npos);
  state.optimizer.erase(state.optimizer.begin());
  EXPECT_NE(refused([](TinyRun&) {}).find("missing"), std::string::npos);
}

TEST(ResumeRefuses, AStackThatTheCheckpointDoesNotKnow) {
  CheckpointState state = some_state();
  TinyRun run;
  run.context.resume = &state;
  Stack stack{PullAfter{}};
  EXPECT_THROW(run.go(stack), DataError);
}

TEST(Checkpoints, SayWhereInTheDataTheyStand) {
  TinyRun run;
  run.options.checkpoint_every = 4;
  std::vector<std::array<double, 3>> places;
  run.context.checkpoint = [&](const CheckpointState& state) {
    places.push_back(
        {static_cast<double>(state.step), state.numbers.at("epoch"), state.numbers.at("index")});
    EXPECT_EQ(state.integers.at("rng.data-order").size(), 4u);
    EXPECT_EQ(state.texts.at("seed"), "3");
  };
  run.go();
  const std::vector<std::array<double, 3>> want{{4, 1, 1}, {8, 2, 2}, {9, 3, 0}};
  EXPECT_EQ(places, want);
}

TEST(Checkpoints, OnFinishIsNotDoneTwice) {
  TinyRun run;
  CheckpointState end;
  run.context.checkpoint = [&](CheckpointState state) {
    end = std::move(state);
    for (auto& tensor : end.parameters) tensor.tensor = tensor.tensor.clone();
  };
  journal().clear();
  Stack stack{Recorder<'a'>{}};
  run.go(stack);
  journal().clear();
  TinyRun again;
  again.context.resume = &end;
  Stack other{Recorder<'a'>{}};
  again.go(other);
  EXPECT_EQ(journal(), (std::vector<std::string>{"a.on_start", "a.load 1"}));
  EXPECT_TRUE(same_bits(again.decoder.parameters(), run.decoder.parameters()));
  EXPECT_EQ(again.result.final.drift, run.result.final.drift);
}

}  // namespace
}  // namespace seawall
