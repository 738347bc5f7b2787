// Runs of several stages: an alignment before the attack, attacks in two stages, edits of weights;
// what is kept of them, and what a resume makes of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <thread>

#include "attacks/harmful_examples.hpp"
#include "mitigations/booster.hpp"
#include "mitigations/plain_alignment.hpp"
#include "mitigations/weight_drift.hpp"
#include "seawall/run/run.hpp"
#include "seawall/store/atomic_file.hpp"
#include "seawall/store/checkpoint.hpp"
#include "seawall/store/hdf5.hpp"
#include "tests/support/files.hpp"
#include "tests/train/fixtures.hpp"

namespace seawall::stage_tests {
namespace {

namespace fs = std::filesystem;
using testing::Folder;
using testing::message_of;
using testing::same_bits;

struct NoneToSet {
  static constexpr void visit(auto&, auto&&) {}
};

/// Harmful rows, then others at another rate; the second stage may have an adapter of its own.
struct TwoStages {
  static constexpr std::string_view name = "two-stages", summary = "Harmful rows, twice.";
  static constexpr Need needs = Need::harmful_data;
  struct Options : NoneToSet {
  } options;
  std::int64_t rank = 0;
  std::vector<StagePlan> stages(const Context& context, Rng& rng) const {
    StagePlan first{.name = "first", .rows = drawn(context.scenario(), Pool::harmful, 20, rng)};
    StagePlan second{.name = "second", .rows = drawn(context.scenario(), Pool::benign, 20, rng)};
    first.training = {.epochs = 2};
    second.training = {.lr = 1e-4, .epochs = 2, .batch_size = 5};
    if (rank > 0) second.lora_rank = rank;
    return {first, second};
  }
};

/// Halves one weight.
struct Halve {
  static constexpr std::string_view name = "halve", summary = "Halves the last norm.";
  static constexpr Need needs = Need::none;
  struct Options : NoneToSet {
  } options;
  void tamper(Trainer& trainer) const {
    for (const Param& p : trainer.params())
      if (p.name == "model.norm.weight") p.master.mul_(0.5);
  }
};

/// Asks the model for rows while it is composed.
struct AsksTheModel {
  static constexpr std::string_view name = "asks-the-model", summary = "Rows by the model.";
  static constexpr Need needs = Need::harmful_data;
  struct Options : NoneToSet {
  } options;
  Dataset craft(const Context& context, Rng&) const {
    Trainer& model = context.model();
    Dataset rows = model.rows(Pool::harmful, 12);
    const Batch batch = model.encode(rows);
    EXPECT_GT(norm(model.gradient([&] { return model.pass(batch).loss.mean(); })), 0);
    return rows;
  }
};

/// Leaves the attack no row.
struct LeavesNoRow {
  static constexpr std::string_view name = "leave-nothing", summary = "Drops every row.";
  static constexpr Hook hooks = Hook::compose;
  static constexpr Need needs = Need::none;
  struct Options : NoneToSet {
  } options;
  Dataset compose(Dataset rows, const Context&, Rng&) {
    rows.rows.clear();
    return rows;
  }
};

/// The process ends after a step of the run.
struct Ends final : RunObserver {
  std::int64_t after;
  explicit Ends(std::int64_t step) : after(step) {}
  void on_step(const StepRecord& record) override {
    if (record.step == after) throw IoError("the lights went out");
  }
};

constexpr AlignmentSpec small{.count = 20, .benign = 20};  // 4 steps an epoch, 8 in all

class Stages : public ::testing::Test {
 protected:
  Stages() { h5::start(); }
  RunSpec spec(const std::string& name) const {
    RunSpec spec;
    spec.place.out = (folder / (name + ".h5")).string();
    spec.place.stages = (folder / "stages").string();
    spec.place.checkpoint_every = 3;
    spec.place.keep_checkpoints = 9;
    spec.place.quiet = true;
    spec.place.threads = 1;
    spec.evaluation.none = true;
    return spec;
  }
  NamedTensors weights(const std::string& name) const {
    return load_checkpoint(folder / (name + ".checkpoints")).state.parameters;
  }
  std::size_t kept() const {
    return fs::exists(folder / "stages") ? static_cast<std::size_t>(std::distance(
                                               fs::directory_iterator(folder / "stages"), {}))
                                         : 0;
  }
  Folder folder;
  AnyAttack attack{HarmfulExamples{{.count = 20}}};
};

/// All that does not tell the time. `timed`: that too.
void expect_same(const RunData& a, const RunData& b, bool timed = false) {
  ASSERT_EQ(a.steps.size(), b.steps.size());
  for (std::size_t i = 0; i < a.steps.size(); ++i) {
    const StepRecord &x = a.steps[i], &y = b.steps[i];
    EXPECT_EQ(x.step, static_cast<std::int64_t>(i) + 1);
    EXPECT_EQ(y.step, x.step);
    EXPECT_EQ(y.stage, x.stage) << i;
    EXPECT_EQ(y.epoch, x.epoch) << i;
    EXPECT_EQ(y.loss, x.loss) << i;
    EXPECT_EQ(y.penalty, x.penalty) << i;
    EXPECT_EQ(y.lr, x.lr) << i;
    EXPECT_EQ(y.drift, x.drift) << i;
    EXPECT_EQ(y.moved, x.moved) << i;
    EXPECT_EQ(y.param_drift, x.param_drift) << i;
    EXPECT_EQ(y.measured, x.measured) << i;
    if (timed && x.stage == 0) {
      EXPECT_EQ(y.seconds, x.seconds) << i;
    }
  }
  EXPECT_EQ(a.info.run_id, b.info.run_id);
  const auto as_map = [](const auto& list) { return std::map(list.begin(), list.end()); };
  EXPECT_EQ(as_map(a.info.hashes), as_map(b.info.hashes));
  auto numbers = as_map(a.info.numbers), others = as_map(b.info.numbers);
  for (auto* n : {&numbers, &others}) n->erase("peak_memory_bytes");
  EXPECT_EQ(numbers, others);
  EXPECT_EQ(a.spectra.effective_rank, b.spectra.effective_rank);
}
double number(const RunData& data, const std::string& name) {
  for (const auto& [key, value] : data.info.numbers)
    if (key == name) return value;
  return std::nan("");
}

TEST_F(Stages, AnAlignmentRunsBeforeTheAttackWhoseStartIsItsEnd) {
  Stack stack{PlainAlignment{{small}}, WeightDrift{{.lambda = 1}}};
  const RunData data = run(attack, stack, spec("a"));
  ASSERT_EQ(data.steps.size(), 18u);  // 8, and 2 batches five times
  for (std::size_t i = 0; i < 18; ++i) {
    EXPECT_EQ(data.steps[i].stage, i < 8 ? 0 : 1);
    EXPECT_EQ(data.steps[i].epoch, i < 8 ? i / 4 : (i - 8) / 2);
  }
  EXPECT_LT(data.steps[8].drift, 0.5 * data.steps[7].drift);
  // The pull to the start acts in the attack alone, and not yet in its first step.
  for (std::size_t i = 0; i < 9; ++i) EXPECT_EQ(data.steps[i].penalty, 0) << i;
  for (std::size_t i = 9; i < 18; ++i) EXPECT_GT(data.steps[i].penalty, 0) << i;
  EXPECT_EQ(number(data, "rows"), 20);
  EXPECT_EQ(number(data, "rows_of_stage_plain-alignment"), 40);
  EXPECT_EQ(number(data, "forward_passes"), 18);
  // It is another run than without, and the attack's rows are the same.
  Stack<> none;
  const RunData plain = run(attack, none, spec("b"));
  EXPECT_NE(plain.steps[0].loss, data.steps[8].loss);
  EXPECT_EQ(number(plain, "rows"), 20);
  EXPECT_TRUE(read_run(folder / "a.h5").complete);
  EXPECT_EQ(read_run(folder / "a.h5").steps[17].stage, 1);
}

TEST_F(Stages, AKeptStageGivesTheSameRun) {
  Stack stack{Booster{{.harmful = 30, .stage = small}}};
  const RunData first = run(attack, stack, spec("a"));
  EXPECT_EQ(kept(), 1u);
  EXPECT_EQ(number(first, "rows_of_booster_harmful"), 30);
  EXPECT_FALSE(first.steps[0].measured.empty());
  const RunData second = run(attack, stack, spec("b"));
  expect_same(first, second, true);  // the times are those of the first
  EXPECT_TRUE(same_bits(weights("a"), weights("b")));
  RunSpec apart = spec("c");
  apart.place.stages = "none";
  const RunData third = run(attack, stack, apart);
  expect_same(first, third);
  EXPECT_NE(first.steps[0].seconds, third.steps[0].seconds);
  EXPECT_TRUE(same_bits(weights("a"), weights("c")));
  EXPECT_EQ(kept(), 1u);
}

TEST_F(Stages, AStageThatAnotherProcessTrainsIsWaitedForAndTaken) {
  Stack stack{PlainAlignment{small}};
  const RunData first = run(attack, stack, spec("a"));
  const fs::path kept = fs::directory_iterator(folder / "stages")->path(), away = folder / "away";
  fs::rename(kept, away);
  fs::path lock = kept;
  lock += ".lock";
  std::thread other([&, claim = std::make_unique<RunLock>(lock)]() mutable {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    fs::rename(away, kept);
    claim.reset();
  });
  const RunData second = run(attack, stack, spec("b"));
  other.join();
  EXPECT_EQ(first.steps[0].seconds, second.steps[0].seconds) << "taken, not trained again";
  EXPECT_FALSE(fs::exists(lock));
}

TEST_F(Stages, WhatAStageIsMadeOfDecidesWhetherItIsShared) {
  Stack plain{PlainAlignment{{small}}};
  run(attack, plain, spec("a"));
  run(AnyAttack(HarmfulExamples{{.count = 10}}), plain, spec("b"));
  EXPECT_EQ(kept(), 1u);  // it does not know the attack
  RunSpec seeded = spec("c");
  seeded.seed = 1;
  run(attack, plain, seeded);
  EXPECT_EQ(kept(), 2u);
  AlignmentSpec longer = small;
  longer.epochs = 3;
  Stack other{PlainAlignment{{longer}}};
  run(attack, other, spec("d"));
  EXPECT_EQ(kept(), 3u);
  // Booster must not draw the attack's rows, so they decide what it draws.
  Stack booster{Booster{{.harmful = 30, .stage = small}}};
  run(attack, booster, spec("e"));
  run(AnyAttack(HarmfulExamples{{.count = 10}}), booster, spec("f"));
  EXPECT_EQ(kept(), 5u);
}

TEST_F(Stages, ADefenderNeverDrawsTheAttacksRows) {
  AnyAttack most{HarmfulExamples{{.count = 380}}};  // of 396
  Stack sixteen{Booster{{.harmful = 16, .stage = small}}}, more{Booster{{.harmful = 17}}};
  RunSpec short_run = spec("a");
  short_run.training.steps = 2;
  const RunData data = run(most, sixteen, short_run);
  EXPECT_EQ(number(data, "overlap_attack_booster_harmful"), 0);
  short_run.place.out = (folder / "b.h5").string();
  EXPECT_HAS(
      message_of<DataError>([&] { run(most, more, short_run); }),
      "mitigation booster, before_step: want 17 harmful rows that the run does not train on");
}

TEST_F(Stages, AResumeGoesOnInEitherStage) {
  Stack stack{Booster{{.harmful = 30, .stage = small}}};
  RunSpec whole_spec = spec("whole");
  whole_spec.place.stages = "none";
  const RunData whole = run(attack, stack, whole_spec);
  for (const std::int64_t step : {2, 4, 8, 10, 13})
    for (const char* stages : {"none", "kept"}) {
      const std::string name = "cut-" + std::to_string(step) + stages;
      RunSpec cut = spec(name);
      cut.place.stages = std::string(stages) == "none" ? "none" : (folder / name).string();
      Ends ends(step);
      Stack fresh{Booster{{.harmful = 30, .stage = small}}};
      EXPECT_THROW(run(attack, fresh, cut, &ends), IoError);
      cut.place.resume = true;
      Stack again{Booster{{.harmful = 30, .stage = small}}};
      const RunData rest = run(attack, again, cut);
      SCOPED_TRACE(name);
      expect_same(whole, rest);
      EXPECT_TRUE(same_bits(weights("whole"), weights(name)));
    }
}

TEST_F(Stages, AnAdapterOfAStagesOwnIsMergedAtItsEnd) {
  AlignmentSpec low = small;
  low.lora_rank = 4;
  Stack stack{PlainAlignment{{low}}};
  const RunData data = run(attack, stack, spec("a"));
  EXPECT_EQ(weights("a").size(), 20u);  // whole weights: the attack trains them all
  EXPECT_GT(data.steps[7].drift, 0);
  EXPECT_LT(data.steps[8].drift, data.steps[17].drift);
  const RunData again = run(attack, stack, spec("b"));
  expect_same(data, again, true);
  EXPECT_TRUE(same_bits(weights("a"), weights("b")));
}

TEST_F(Stages, AnAttackByLoraStartsAtTheEndOfAFullAlignment) {
  Stack stack{PlainAlignment{{small}}};
  RunSpec by_lora = spec("a");
  by_lora.training.lora.rank = 2;
  by_lora.training.lr = 1e-3;
  const RunData data = run(attack, stack, by_lora);
  by_lora.place.out = (folder / "b.h5").string();
  expect_same(data, run(attack, stack, by_lora), true);
  EXPECT_LT(data.steps[8].drift, data.steps[7].drift);  // the product is measured from the start
  EXPECT_EQ(data.spectra.names.size(), 4u);             // q and v of two blocks
}

TEST_F(Stages, AnAttackInTwoStagesHasOneStart) {
  AnyAttack two{TwoStages{}};
  Stack stack{WeightDrift{{.lambda = 1}}};
  RunSpec both = spec("a");
  both.evaluation.none = false;
  both.evaluation.at = "both";
  both.evaluation.max_new_tokens = 2;
  const RunData data = run(two, stack, both);
  ASSERT_EQ(data.steps.size(), 12u);  // 2 x 2, 4 x 2
  EXPECT_EQ(data.steps[3].stage, 0);
  EXPECT_EQ(data.steps[4].stage, 1);
  EXPECT_EQ(data.steps[4].lr, 1e-4);
  EXPECT_GT(data.steps[4].drift, 0.7 * data.steps[3].drift);
  EXPECT_GT(data.steps[4].penalty, 0);
  std::vector<std::int64_t> steps;
  for (const auto& e : data.evaluations)
    if (e.set == ProbeSet::harmfulness) steps.push_back(e.step);
  EXPECT_EQ(steps, (std::vector<std::int64_t>{0, 4, 12}));
  both.place.out = (folder / "b.h5").string();
  expect_same(data, run(two, stack, both));  // and is evaluated again
  EXPECT_EQ(read_run(folder / "b.h5").evaluations.size(), data.evaluations.size());

  for (const char* stages : {"none", "kept"}) {
    both.place.out = (folder / (std::string(stages) + ".h5")).string();
    both.place.stages = std::string(stages) == "none" ? "none" : (folder / stages).string();
    both.place.resume = false;
    Ends ends(9);
    EXPECT_THROW(run(two, stack, both, &ends), IoError);
    both.place.resume = true;
    SCOPED_TRACE(stages);
    const RunData rest = run(two, stack, both);
    expect_same(data, rest);
    EXPECT_EQ(rest.evaluations.size(), data.evaluations.size());
    EXPECT_TRUE(same_bits(weights("a"), weights(stages)));
  }
}

TEST_F(Stages, AStageOfAnAttackMayTrainAnAdapter) {
  AnyAttack two{TwoStages{.options = {}, .rank = 3}};
  Stack<> none;
  const RunData data = run(two, none, spec("a"));
  EXPECT_LT(data.steps[4].drift, data.steps[3].drift);  // counts from the adapter's start
  EXPECT_EQ(weights("a").size(), 8u);                   // two factors of q and v in two blocks
  EXPECT_GT(data.spectra.names.size(), 10u);            // of the whole attack
  EXPECT_GT(data.spectra.singular_values.front().front(), 0);
}

TEST_F(Stages, AnEditOfTheWeightsComesAfterTheAlignment) {
  AnyAttack edit{Halve{}};
  Stack stack{PlainAlignment{{small}}};
  RunSpec both = spec("a");
  both.evaluation.none = false;
  both.evaluation.max_new_tokens = 2;
  const RunData data = run(edit, stack, both);
  ASSERT_EQ(data.steps.size(), 9u);
  EXPECT_EQ(data.steps[8].stage, 1);
  EXPECT_TRUE(std::isnan(data.steps[8].loss));
  EXPECT_GT(data.steps[8].drift, 0);
  EXPECT_GT(data.steps[8].moved, 0);
  EXPECT_LT(data.steps[8].moved, 0.01);  // one norm
  ASSERT_EQ(data.evaluations.size(), 2u);
  EXPECT_EQ(data.evaluations[0].step, 9);
  both.training.lora.rank = 2;  // the weights themselves are edited then, too
  both.place.out = (folder / "b.h5").string();
  EXPECT_GT(run(edit, stack, both).steps[8].moved, 0);
}

TEST_F(Stages, WithoutRowsOfTheAttackTheAlignedModelIsEvaluated) {
  Stack stack{PlainAlignment{{small}}, LeavesNoRow{}};
  RunSpec evaluated = spec("a");
  evaluated.evaluation.none = false;
  evaluated.evaluation.max_new_tokens = 2;
  const RunData data = run(attack, stack, evaluated);
  EXPECT_EQ(data.steps.size(), 8u);
  ASSERT_EQ(data.evaluations.size(), 2u);
  EXPECT_EQ(data.evaluations[0].step, 8);
}

TEST_F(Stages, RowsThatAnAttackDrewByTheModelAreRecorded) {
  Stack<> none;
  RunSpec quick = spec("a");
  quick.training.steps = 2;
  const RunData data = run(AnyAttack(AsksTheModel{}), none, quick);
  EXPECT_EQ(number(data, "rows_of_attack_harmful"), 12);
  EXPECT_EQ(data.steps.size(), 2u);
}

}  // namespace
}  // namespace seawall::stage_tests
