// The story of a run, whatever its backend.
#include <gtest/gtest.h>

#include <algorithm>

#include "attacks/benign.hpp"
#include "attacks/harmful_examples.hpp"
#include "mitigations/weight_drift.hpp"
#include "seawall/run/run_provenance.hpp"
#include "seawall/store/hdf5.hpp"
#include "tests/run/fake_backend.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

using testing::FakeBackend;
using testing::Folder;
using testing::message_of;
using Words = std::vector<std::string>;

struct NoOptions {
  static constexpr void visit(auto&, auto&&) {}
};

/// Adds a word to every prompt.
struct Politeness {
  static constexpr std::string_view name = "politeness", summary = "Says please.";
  static constexpr Hook hooks = Hook::prompt;
  static constexpr Need needs = Need::none;
  using Options = NoOptions;
  Options options;
  Dialogue prompt(Dialogue d) const { return wrap_request(std::move(d), "", " please"); }
};
/// Leaves no row.
struct LeaveNothing {
  static constexpr std::string_view name = "leave-nothing", summary = "Drops every row.";
  static constexpr Hook hooks = Hook::compose;
  static constexpr Need needs = Need::none;
  using Options = NoOptions;
  Options options;
  Dataset compose(Dataset rows, const Context&, Rng&) {
    rows.rows.clear();
    return rows;
  }
};

/// Trains on ordinary rows, three times unless the run says otherwise.
struct Gentle {
  static constexpr std::string_view name = "gentle", summary = "Ordinary rows, three times.";
  static constexpr Need needs = Need::benign_data;
  static constexpr TrainDefaults defaults{.epochs = 3};
  using Options = NoOptions;
  Options options;
  Dataset craft(const Context& context, Rng& rng) const {
    return context.scenario().rows(Pool::benign, 64, rng);
  }
};

class RunStory : public ::testing::Test {
 protected:
  RunStory() { h5::start(); }
  RunSpec spec(const std::string& name = "a.h5") const {
    RunSpec spec;
    spec.place.out = (folder / name).string();
    spec.place.quiet = true;
    spec.place.threads = 1;
    return spec;
  }
  Folder folder;
  FakeBackend backend;
  AnyAttack attack{HarmfulExamples{{.count = 10}}};
};

TEST_F(RunStory, AsksTheBackendInOrderAndTheDefenderHasTheLastWord) {
  RunSpec both = spec();
  both.evaluation.at = "both";
  Stack stack{Politeness{}};
  const RunData data = run(attack, stack, both, backend);
  const Words want{"load",
                   "prepare 1",
                   "begin",
                   "answer harmfulness plain",
                   "answer utility plain",
                   "train attack 10",
                   "answer harmfulness plain",
                   "answer utility plain",
                   "finish",
                   "clean up"};
  EXPECT_EQ(backend.calls, want);
  EXPECT_TRUE(std::ranges::all_of(backend.prompts,
                                  [](const std::string& p) { return p.ends_with(" please"); }));
  ASSERT_EQ(data.evaluations.size(), 4u);
  EXPECT_EQ(data.evaluations[2].step, 1);
  EXPECT_TRUE(read_run(folder / "a.h5").complete);
}

TEST_F(RunStory, WithoutRowsThereIsNoStageAndTheModelIsProbedOnce) {
  Stack none_left{LeaveNothing{}};
  run(attack, none_left, spec("b.h5"), backend);
  RunSpec untrained = spec("c.h5");
  untrained.training.none = true;
  Stack<> none;
  FakeBackend second;
  run(attack, none, untrained, second);
  for (const auto* b : {&backend, &second}) {
    EXPECT_EQ(std::ranges::count(b->calls, "prepare 0"), 1);
    EXPECT_EQ(std::ranges::count(b->calls, "answer harmfulness plain"), 1);
    EXPECT_TRUE(std::ranges::none_of(
        b->calls, [](const std::string& call) { return call.starts_with("train"); }));
  }
}

TEST_F(RunStory, ADryRunEstimatesAndABackendMayStopTheRun) {
  RunSpec dry = spec();
  dry.place.dry_run = true;
  Stack<> none;
  run(attack, none, dry, backend);
  EXPECT_EQ(backend.calls, (Words{"load", "prepare 1", "estimate"}));
  FakeBackend stops;
  stops.may_begin = false;
  run(attack, none, spec(), stops);
  EXPECT_EQ(stops.calls.back(), "begin");
  EXPECT_FALSE(std::filesystem::exists(folder / "a.h5"));
}

TEST_F(RunStory, AnObserverSeesWhatTheFileKeeps) {
  struct Watcher final : RunObserver {
    std::size_t rows = 0;
    std::vector<double> losses;
    Words sets;
    void on_stage(const Stage& stage) override { rows += stage.rows.size(); }
    void on_step(const StepRecord& record) override { losses.push_back(record.loss); }
    void on_evaluation(const EvaluationRecord& record) override {
      sets.push_back(probe_set_name(record.set));
    }
  } watcher;
  Stack<> none;
  const RunData data = run(attack, none, spec(), backend, &watcher);
  EXPECT_EQ(watcher.rows, 10u);
  ASSERT_EQ(data.steps.size(), 1u);
  EXPECT_EQ(watcher.losses, std::vector<double>{data.steps[0].loss});
  EXPECT_EQ(watcher.sets, (Words{"harmfulness", "utility"}));
}

TEST_F(RunStory, WhatIsUnsetComesFromTheAttackThenFromTheScenario) {
  RunSpec given = spec();
  given.training.batch_size = 16;
  seawall::Run one(AnyAttack(Gentle{}), {}, given, backend);
  EXPECT_EQ(one.spec().training.epochs, 3);
  EXPECT_EQ(one.spec().training.batch_size, 16);
  EXPECT_EQ(one.spec().training.lr, one.scenario().defaults(Pool::benign, "").lr);
  EXPECT_NE(one.spec().training.lr, one.scenario().defaults(Pool::harmful, "").lr);
  EXPECT_EQ(one.spec().evaluation.max_new_tokens, 64);
}

std::string key_of(const AnyAttack& attack, const RunSpec& spec) {
  FakeBackend backend;
  RunSpec dry = spec;
  dry.place.dry_run = true;
  seawall::Run run(attack, {}, dry, backend);
  run.prepare(run.craft(), [](Dialogue d) { return d; }, {});
  return run.key();
}

TEST_F(RunStory, ThePlaceIsNoPartOfTheKeyAndEverythingElseIs) {
  const std::string key = key_of(attack, spec());
  RunSpec elsewhere = spec("other.h5");
  elsewhere.place.threads = 2;
  elsewhere.place.max_batch = 7;
  elsewhere.place.keep_checkpoints = 5;
  elsewhere.place.write_outputs = "x.jsonl";
  EXPECT_EQ(key_of(attack, elsewhere), key);
  std::vector<RunSpec> others(6, spec());
  others[0].training.lr = 1e-5;
  others[1].record.trace = "metrics";
  others[2].evaluation.judges = "organism,keyword:qi2023";
  others[3].seed = 1;
  others[4].model.decoding = "greedy";
  others[5].data.loss_on = "all";
  std::vector<std::string> keys{key, key_of(AnyAttack(HarmfulExamples{{.count = 9}}), spec())};
  for (const auto& other : others) keys.push_back(key_of(attack, other));
  std::ranges::sort(keys);
  EXPECT_EQ(std::ranges::adjacent_find(keys), keys.end());
}

TEST_F(RunStory, ARunThatIsThereIsNotReplacedUnasked) {
  Stack<> none;
  run(attack, none, spec(), backend);
  EXPECT_HAS(message_of<UsageError>([&] {
               FakeBackend again;
               run(attack, none, spec(), again);
             }),
             "a run is there already; give --resume to continue it, --overwrite to replace it");
}

TEST_F(RunStory, TypesAndNamesTrainToTheSameBitsInThisProcess) {
  RunSpec quick = spec("typed.h5");
  quick.training.steps = 3;
  quick.evaluation.none = true;
  quick.place.no_checkpoint = true;
  Stack typed{WeightDrift{{.lambda = 1e-2}}};
  const RunData first = run(attack, typed, quick);
  quick.place.out = (folder / "named.h5").string();
  AnyStack named;
  named.push_back(AnyMitigation(WeightDrift{{.lambda = 1e-2}}));
  const RunData second = run(attack, named, quick);
  ASSERT_EQ(first.steps.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(first.steps[i].loss, second.steps[i].loss);
    EXPECT_EQ(first.steps[i].drift, second.steps[i].drift);
  }
  EXPECT_EQ(first.info.run_id, second.info.run_id);
}

}  // namespace
}  // namespace seawall
