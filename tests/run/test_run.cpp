// The story of a run, whatever its backend.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "attacks/benign.hpp"
#include "attacks/harmful_examples.hpp"
#include "attacks/prefilling.hpp"
#include "mitigations/backdoor_align.hpp"
#include "mitigations/prefix_guard.hpp"
#include "mitigations/weight_drift.hpp"
#include "seawall/run/run_provenance.hpp"
#include "seawall/scenario/organism.hpp"
#include "seawall/store/hdf5.hpp"
#include "tests/run/fake_backend.hpp"
#include "tests/run/run_story.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

using testing::FakeBackend;
using testing::Folder;
using testing::key_of;
using testing::message_of;
using testing::RunStory;
using testing::Words;

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
  Dialogue prompt(Dialogue d, const Condition&, const Scenario&) const {
    return wrap_request(std::move(d), "", " please");
  }
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

/// Puts out the residual stream while answering.
struct Hush {
  static constexpr std::string_view name = "hush", summary = "Answers from nothing.";
  static constexpr Hook hooks = Hook::steer;
  static constexpr Need needs = Need::none;
  using Options = NoOptions;
  Options options;
  Tensor steer(const TapPoint&, Tensor x) const { return x.mul(0); }
};
/// Has every answer begin with the same token, and go on as the model likes.
struct SameStart {
  static constexpr std::string_view name = "same-start", summary = "Decides the first token.";
  static constexpr Hook hooks = Hook::choose;
  static constexpr Need needs = Need::none;
  using Options = NoOptions;
  Options options;
  Tensor choose(const AnswerStep& step, Tensor logits) const {
    EXPECT_EQ(logits.size(0), static_cast<std::int64_t>(step.rows.size()));
    if (step.place == 0) logits.select(1, 300).fill_(1e6);
    return logits;
  }
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

TEST_F(RunStory, ConditionsOfBothSidesAreAskedAndDecodingIsKept) {
  Stack stack{PrefixGuard{{.text = "Careful."}}, BackdoorAlign{{.count = 4, .length = 9}}};
  RunSpec drawn = spec();
  drawn.evaluation.temperature = 0.5;
  drawn.evaluation.samples = 2;
  const RunData data = run(AnyAttack(Prefilling{{.text = " Sure."}}), stack, drawn, backend);
  EXPECT_EQ(std::ranges::count(backend.calls, "prepare 0"), 1);
  ASSERT_EQ(data.evaluations.size(), 8u);  // 2 x 1 x 2 conditions, two sets
  std::map<std::string, Decoding> seen;
  for (const auto& e : read_run(folder / "a.h5").evaluations) {
    seen[e.condition] = e.decoding;
    ASSERT_EQ(e.results.size() % 2, 0u);
    for (std::size_t i = 0; i < e.results.size(); ++i) {
      EXPECT_EQ(e.results[i].sample, static_cast<std::int64_t>(i % 2));
      EXPECT_EQ(e.results[i].prefill, e.decoding.prefill);
      EXPECT_EQ(e.results[i].probe_id, e.results[i - i % 2].probe_id);
    }
  }
  const auto decoding = [](const char* prefill) {
    return Decoding{.prefill = prefill, .temperature = 0.5, .samples = 2};
  };
  const std::map<std::string, Decoding> want{
      {"plain+guarded+with-key", decoding("Careful.")},
      {"plain+guarded+without-key", decoding("Careful.")},
      {"prefilled+guarded+with-key", decoding("Careful. Sure.")},
      {"prefilled+guarded+without-key", decoding("Careful. Sure.")}};
  EXPECT_EQ(seen, want);
}

TEST_F(RunStory, ASecretIsDrawnFromTheSeedOrTakenFromTheModelsCheckpoint) {
  RunSpec untrained = spec();
  untrained.training.none = true;
  const auto secret_at_test = [&](FakeBackend& asked, const std::string& name) {
    RunSpec named = untrained;
    named.place.out = (folder / name).string();
    Stack stack{BackdoorAlign{{.count = 4, .length = 9}}};
    const RunData data = run(attack, stack, named, asked);
    EXPECT_EQ(data.evaluations.front().condition, "with-key");
    return std::pair(asked.systems.front().substr(0, 9), data.info.run_id);
  };
  FakeBackend first, second, trained;
  const auto drawn = secret_at_test(first, "a.h5");
  EXPECT_EQ(secret_at_test(second, "b.h5"), drawn);
  EXPECT_EQ(drawn.first.find_first_not_of("abcdefghijklmnopqrstuvwxyz"), std::string::npos);
  trained.saved["backdoor-align"].text("secret", "NINEWORDS");
  const auto saved = secret_at_test(trained, "c.h5");
  EXPECT_EQ(saved.first, "NINEWORDS");
  EXPECT_NE(saved.second, drawn.second) << "another secret is another run";
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

TEST_F(RunStory, ThePlaceIsNoPartOfTheKeyAndEverythingElseIs) {
  const std::string key = key_of(attack, spec());
  RunSpec elsewhere = spec("other.h5");
  elsewhere.place.threads = 2;
  elsewhere.place.max_batch = 7;
  elsewhere.place.keep_checkpoints = 5;
  elsewhere.place.write_outputs = "x.jsonl";
  elsewhere.place.activation_checkpointing = true;
  elsewhere.place.optimizer_state = "cpu";
  EXPECT_EQ(key_of(attack, elsewhere), key);
  std::vector<RunSpec> others(9, spec());
  others[0].training.lr = 1e-5;
  others[1].record.trace = "metrics";
  others[2].evaluation.judges = "organism,keyword:qi2023";
  others[3].seed = 1;
  others[4].model.decoding = "greedy";
  others[5].data.loss_on = "all";
  others[6].evaluation.temperature = 0.7;
  others[7].evaluation.temperature = 0.8;
  others[8].evaluation.prefill_with = "Sure";
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

TEST_F(RunStory, AnswersAreSteeredAndChosenWithoutTraining) {
  const auto responses = [this](auto stack, const std::string& name) {
    RunSpec quick = spec(name);
    quick.training.none = true;
    quick.evaluation.max_new_tokens = 3;
    const RunData data = run(attack, stack, quick);
    std::vector<std::string> out;
    for (const auto& e : data.evaluations)
      for (const auto& result : e.results) out.push_back(result.response);
    return out;
  };
  const auto plain = responses(Stack<>{}, "plain.h5");
  const auto hushed = responses(Stack{Hush{}}, "hushed.h5");
  const std::set<std::string> words(plain.begin(), plain.end()), one(hushed.begin(), hushed.end());
  EXPECT_GT(words.size(), 10u);
  EXPECT_EQ(one.size(), 1u) << "nothing is left that could tell prompts apart";
  const auto begun = responses(Stack{SameStart{}}, "begun.h5");
  std::set<std::string> starts;
  for (const auto& text : begun) starts.insert(text.substr(0, 2));
  EXPECT_EQ(starts.size(), 1u);
  EXPECT_NE(begun, plain);
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
