// An evaluation that throws loses nothing of the training before it.
#include <csignal>
#include <new>

#include "seawall/core/error.hpp"
#include "seawall/train/signals.hpp"
#include "tests/train/fixtures.hpp"

namespace seawall {
namespace {

using namespace testing;

/// A run whose evaluation after step `fails_at` throws what `fail` throws, and what it saved.
struct FailingRun {
  TinyRun run;
  std::vector<CheckpointState> states;
  std::vector<std::int64_t> evaluated;
  std::int64_t fails_at = 6;
  std::function<void()> fail = [] {};

  FailingRun() {
    run.options.config_hash = "same";
    run.context.state_place = "run.checkpoints";
    run.context.evaluate = [this](std::int64_t step, std::int64_t, bool) {
      evaluated.push_back(step);
      if (step == fails_at) fail();
    };
  }
  std::function<void(CheckpointState)> keep() {
    return [this](CheckpointState state) {
      for (auto* list : {&state.parameters, &state.optimizer})
        for (auto& named : *list) named.tensor = named.tensor.clone();
      states.push_back(std::move(state));
    };
  }
  /// The error's text and exit code; `internal` is what no Error has.
  std::pair<std::string, int> message() {
    try {
      run.go();
    } catch (const Error& error) {
      return {error.what(), static_cast<int>(error.exit_code())};
    }
    return {"it ended", 0};
  }
};

/// The saved state goes on to the bits of a run that nothing stopped, and evaluates what failed.
void expect_goes_on(const CheckpointState& state) {
  FailingRun whole, rest;
  whole.run.go();
  rest.run.context.resume = &state;
  rest.run.go();
  EXPECT_TRUE(same_bits(rest.run.decoder.parameters(), whole.run.decoder.parameters()));
  EXPECT_EQ(rest.evaluated,
            state.step == 9 ? std::vector<std::int64_t>{9} : (std::vector<std::int64_t>{6, 9}));
}

struct Failure {
  std::function<void()> fail;
  std::string says;
  int code;
};

TEST(FailingEvaluation, SavesTheStateFirstWhateverIsThrown) {
  const std::string saved =
      "; the state after step 6 is saved in run.checkpoints, --resume continues";
  const std::vector<Failure> failures = {
      {[] { throw UsageError("a probe"); }, "a probe", 2},
      {[] { throw DataError("a template"); }, "a template", 3},
      {[] { throw IoError("a disk"); }, "a disk", 4},
      {[] { throw RunError("a tensor"); }, "a tensor", 5},
      {[] { throw Interrupted(ExitCode::usage, "a budget"); }, "a budget", 2},
      {[] { throw Error(ExitCode::peer_lost, "a peer"); }, "a peer", 6},
      {[] { throw std::bad_alloc(); }, "out of memory in an evaluation; give a smaller --max-batch",
       5},
      {[] { at::empty({std::int64_t{1} << 50}); },  // as libtorch says it
       "out of memory in an evaluation; give a smaller --max-batch", 5},
      {[] { throw std::runtime_error("a judge\nand its trace"); }, "an evaluation failed: a judge",
       1}};
  for (const auto& [fail, says, code] : failures) {
    FailingRun run;
    run.run.context.checkpoint = run.keep();
    run.fail = fail;
    EXPECT_EQ(run.message(), std::pair(says + saved, code));
    ASSERT_EQ(run.states.size(), 1u);
    EXPECT_EQ(run.states[0].step, 6);
    EXPECT_EQ(run.states[0].numbers.at("evaluation_pending"), 1);
    EXPECT_EQ(run.states[0].numbers.at("rescue"), 0) << "checkpoints were wanted";
    expect_goes_on(run.states[0]);
  }
}

TEST(FailingEvaluation, KeepsItsType) {
  FailingRun run;
  run.fail = [] { throw DataError("x"); };
  EXPECT_THROW(run.run.go(), DataError);
}

TEST(FailingEvaluation, WithoutCheckpointsTheLastStateIsKeptOnce) {
  FailingRun run;
  run.run.context.rescue = run.keep();
  run.fails_at = 9;
  run.fail = [] { throw DataError("too late"); };
  EXPECT_EQ(run.message().first,
            "too late; the state after step 9 is saved in run.checkpoints, --resume continues");
  ASSERT_EQ(run.states.size(), 1u);
  EXPECT_EQ(run.states[0].numbers.at("finished"), 1);
  EXPECT_EQ(run.states[0].numbers.at("rescue"), 1);
  expect_goes_on(run.states[0]);

  FailingRun good;  // nothing failed: nothing is kept
  good.run.context.rescue = good.keep();
  good.run.go();
  EXPECT_TRUE(good.states.empty());

  FailingRun bare;  // nowhere to save: the error alone
  bare.fail = [] { throw DataError("too late"); };
  EXPECT_EQ(bare.message().first, "too late");
}

TEST(FailingEvaluation, ASignalKeepsNothingWithoutCheckpoints) {
  FailingRun run;
  run.run.context.rescue = run.keep();
  run.fail = [] {
    request_stop(SIGTERM);
    throw Interrupted(ExitCode::terminated, "stopped");
  };
  EXPECT_EQ(run.message(), std::pair(std::string("stopped"), 143));
  EXPECT_TRUE(run.states.empty());
  request_stop(0);
}

TEST(FailingEvaluation, AStateThatCannotBeSavedIsSaidWithTheFirstError) {
  FailingRun run;
  run.run.context.checkpoint = [](CheckpointState) { throw IoError("run.checkpoints: full"); };
  run.fail = [] { throw DataError("a probe"); };
  EXPECT_EQ(run.message(),
            std::pair(std::string("a probe; the state after step 6 could not be saved: "
                                  "run.checkpoints: full"),
                      3));
}

}  // namespace
}  // namespace seawall
