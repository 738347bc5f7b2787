#include <unistd.h>
#include <csignal>
#include <cstdlib>

#include "seawall/core/error.hpp"
#include "seawall/train/signals.hpp"
#include "tests/train/fixtures.hpp"
#include "tests/train/recording_policy.hpp"

namespace seawall {
namespace {

using namespace testing;

/// A sink that gets a signal at the end of a step.
struct SignalSink final : TraceSink {
  std::int64_t at = 0, seen = 0;
  int signal = SIGTERM;
  void on_step(const StepRecord& record) override {
    seen = record.step;
    if (record.step == at) std::raise(signal);
  }
  void on_evaluation(EvaluationRecord) override {}
  bool wants_residual() const override { return false; }
};

struct SignalRun {
  TinyRun run;
  SignalSink sink;
  std::vector<CheckpointState> states;
  std::vector<std::int64_t> evaluated;

  explicit SignalRun(std::int64_t at, int signal) {
    sink.at = at;
    sink.signal = signal;
    run.context.checkpoint = [this](CheckpointState state) {
      for (auto* list : {&state.parameters, &state.optimizer})
        for (auto& named : *list) named.tensor = named.tensor.clone();
      states.push_back(std::move(state));
    };
    run.context.evaluate = [this](std::int64_t step, std::int64_t, bool) {
      evaluated.push_back(step);
    };
  }
  void go() {
    FixedRows source(tiny_rows(12), run.data, run.decoder.device());
    Stack<> none;
    run.result = train(run.decoder, source, none, run.options, sink, run.context);
  }
};

class StopSignal : public ::testing::TestWithParam<std::pair<int, ExitCode>> {};

TEST_P(StopSignal, FinishesTheStepSavesAndStops) {
  const auto [signal, code] = GetParam();
  const SignalGuard guard;
  SignalRun stopped(5, signal);
  try {
    stopped.go();
    FAIL() << "it ended";
  } catch (const Interrupted& error) {
    EXPECT_EQ(error.exit_code(), code);
    EXPECT_STREQ(error.what(),
                 "stopped by a signal after step 5; the state is saved, --resume continues");
  }
  ASSERT_EQ(stopped.states.size(), 1u);
  EXPECT_EQ(stopped.states[0].step, 5);

  request_stop(0);
  SignalRun whole(0, signal), rest(0, signal);
  whole.go();
  rest.run.context.resume = &stopped.states[0];
  rest.go();
  EXPECT_TRUE(same_bits(rest.run.decoder.parameters(), whole.run.decoder.parameters()));
}

INSTANTIATE_TEST_SUITE_P(Signals, StopSignal,
                         ::testing::Values(std::pair{SIGINT, ExitCode::interrupted},
                                           std::pair{SIGTERM, ExitCode::terminated}),
                         [](const auto& info) {
                           return info.param.first == SIGINT ? "int" : "term";
                         });

TEST(Signals, AnEvaluationThatWasDueIsMadeUpForOnResume) {
  const SignalGuard guard;
  SignalRun stopped(6, SIGTERM);  // step 6 ends an epoch
  EXPECT_THROW(stopped.go(), Interrupted);
  EXPECT_EQ(stopped.evaluated, std::vector<std::int64_t>{3});
  request_stop(0);
  SignalRun rest(0, SIGTERM);
  rest.run.context.resume = &stopped.states[0];
  rest.go();
  EXPECT_EQ(rest.evaluated, (std::vector<std::int64_t>{6, 9}));
}

TEST(Signals, AnEvaluationMayStopByItself) {
  SignalRun stopped(0, SIGTERM);
  stopped.run.context.evaluate = [](std::int64_t, std::int64_t, bool) {
    throw Interrupted(ExitCode::terminated, "in the middle of an evaluation");
  };
  EXPECT_THROW(stopped.go(), Interrupted);
  ASSERT_EQ(stopped.states.size(), 1u);
  EXPECT_EQ(stopped.states[0].step, 3);
  SignalRun rest(0, SIGTERM);
  rest.run.context.resume = &stopped.states[0];
  rest.go();
  EXPECT_EQ(rest.evaluated, (std::vector<std::int64_t>{3, 6, 9}));
}

TEST(Signals, UserSignalSavesAndGoesOn) {
  const SignalGuard guard;
  SignalRun run(4, SIGUSR1);
  run.go();
  ASSERT_EQ(run.states.size(), 2u);
  EXPECT_EQ(run.states[0].step, 4);
  EXPECT_EQ(run.states[1].step, 9);
}

TEST(Signals, ASecondInterruptEndsAtOnce) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const SignalGuard guard;
        std::raise(SIGINT);
        std::raise(SIGINT);
        ::_exit(7);
      },
      ::testing::ExitedWithCode(130), "");
}

TEST(Signals, GuardsGiveHandlersBack) {
  struct sigaction before {
  }, after{};
  sigaction(SIGTERM, nullptr, &before);
  { const SignalGuard guard; }
  sigaction(SIGTERM, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

}  // namespace
}  // namespace seawall
