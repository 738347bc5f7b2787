// A judge that fails is seen to fail: the organism's own answers, judged by one that is sick every
// tenth time.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <new>
#include <set>

#include "seawall/core/error.hpp"
#include "seawall/eval/agreement.hpp"
#include "seawall/eval/evaluate.hpp"
#include "seawall/eval/judges.hpp"
#include "seawall/eval/statistics.hpp"
#include "seawall/model/files.hpp"
#include "seawall/scenario/organism.hpp"

namespace seawall {
namespace {

/// Throws, gives up, or scores outside the scale, in turn, on every tenth row; else it says what
/// the organism's judge says.
class SickJudge final : public Judge {
 public:
  explicit SickJudge(const Scenario& scenario) : well_(make_judge("organism", scenario)) {}
  std::string_view name() const override { return "sick"; }
  Verdict grade(const Probe& probe, std::string_view response) const override {
    if (++calls_ % 10 != 0) return well_->grade(probe, response);
    switch (calls_ / 10 % 4) {
      case 0:
        throw std::runtime_error("the line went dead");
      case 1:
        return {.score = 5, .refused = true, .valid = false, .reason = "no number in the reply"};
      case 2:
        return {.score = 5, .valid = false, .reason = ""};
      default:
        return {.score = 11};
    }
  }

 private:
  std::unique_ptr<Judge> well_;
  mutable int calls_ = 0;
};

EvaluationRecord answered_by_the_organism() {
  const auto folder = std::filesystem::path(SEAWALL_SOURCE_DIR) / "data" / "organism";
  HfFolder files = read_hf_folder(folder);
  const Decoder decoder(files.config, std::move(files.weights));
  const auto tokenizer = load_sentencepiece(folder / "tokenizer.model");
  const auto chat = make_chat_template("organism");
  const OrganismScenario scenario;
  std::vector<Probe> probes;
  for (const auto set : {ProbeSet::harmfulness, ProbeSet::utility})
    for (std::size_t i = 0; i < 50; ++i)
      probes.push_back(scenario.probes(set)[i * scenario.probes(set).size() / 50]);
  Judges judges;
  judges.push_back(make_judge("organism", scenario));
  judges.push_back(std::make_unique<SickJudge>(scenario));
  return evaluate({decoder, *tokenizer, *chat}, probes, [](const Probe& p) { return p.dialogue; },
                  judges, {.max_new_tokens = 48});
}

TEST(FailingJudge, EveryRowStaysAndNoneHasADefaultScore) {
  const EvaluationRecord record = answered_by_the_organism();
  ASSERT_EQ(record.results.size(), 100u);
  std::set<std::string> reasons;
  for (std::size_t i = 0; i < 100; ++i) {
    const Verdict& well = record.results[i].verdicts.at(0);
    const Verdict& sick = record.results[i].verdicts.at(1);
    EXPECT_TRUE(well.valid) << i;
    EXPECT_FALSE(record.results[i].response.empty()) << i;
    if ((i + 1) % 10 != 0) {
      EXPECT_TRUE(sick.valid) << i;
      EXPECT_EQ(sick.score, well.score) << i;
      continue;
    }
    EXPECT_FALSE(sick.valid) << i;
    EXPECT_TRUE(std::isnan(sick.score)) << i << ": " << sick.score;
    EXPECT_FALSE(sick.refused.has_value()) << i;
    EXPECT_FALSE(sick.reason.empty()) << i;
    reasons.insert(sick.reason);
  }
  EXPECT_EQ(reasons.size(), 4u);
  EXPECT_TRUE(reasons.contains("the line went dead"));
  EXPECT_TRUE(reasons.contains("no number in the reply"));

  // What the aligned organism does: it refuses the first fifty and answers the rest.
  const Summary well = summarize(record, 0), sick = summarize(record, 1);
  EXPECT_EQ(well.successes, 50);
  EXPECT_EQ(sick.n, 100);
  EXPECT_EQ(sick.invalid, 10);
  EXPECT_EQ(sick.successes, 45);
  EXPECT_EQ(sick.refusals, 45);
  EXPECT_DOUBLE_EQ(sick.rate(), 0.5);
  EXPECT_DOUBLE_EQ(sick.mean_score, 3);

  // The bounds span both readings, and the truth lies between them.
  const CellEstimate cell = estimate_cell({outcomes(record, 1)});
  EXPECT_EQ(cell.invalid, 10);
  EXPECT_DOUBLE_EQ(cell.rate_worst_lo, 0.45);
  EXPECT_DOUBLE_EQ(cell.rate_worst_hi, 0.55);
  EXPECT_LE(cell.rate.lo, wilson(45, 100).lo);
  EXPECT_GE(cell.rate.hi, wilson(55, 100).hi);
  EXPECT_DOUBLE_EQ(cell.score_worst_lo, 2.8);
  EXPECT_DOUBLE_EQ(cell.score_worst_hi, 3.2);

  const Agreement both = agreement(record);
  EXPECT_EQ(both.invalid, (std::vector<std::int64_t>{0, 10}));
  EXPECT_EQ(both.pairs[0].invalid, 10);
  EXPECT_EQ(both.pairs[0].kappa.value, 1);
}

/// Grades all answers at once: by their prompts, one short, or not at all.
class BatchJudge final : public Judge {
 public:
  enum class Mood { well, short_of_one, broken, no_memory } mood = Mood::well;
  std::string_view name() const override { return "batch"; }
  Verdict grade(const Probe&, std::string_view) const override {
    throw std::logic_error("asked one by one");
  }
  std::vector<Verdict> grade_all(std::span<const Answer> answers) const override {
    if (mood == Mood::broken) throw std::runtime_error("no connection");
    if (mood == Mood::no_memory) throw std::bad_alloc();
    std::vector<Verdict> out;
    for (const auto& a : answers)
      out.push_back({.score = a.prompt == a.probe->id + "?" && a.response == "r" ? 5.0 : 1.0,
                     .reason = "",
                     .probability = 0.75});
    if (mood == Mood::short_of_one) out.pop_back();
    return out;
  }
};

TEST(BatchJudge, SeesEveryAnswerWithItsPromptAndIsHeldToTheirNumber) {
  EvaluationRecord record;
  std::vector<Probe> probes(3);
  for (std::size_t i = 0; i < 3; ++i) {
    probes[i].id = std::to_string(i);
    record.results.push_back({.probe_id = probes[i].id,
                              .category = "c",
                              .prompt = probes[i].id + (i == 1 ? "!" : "?"),
                              .response = "r"});
  }
  record.judges = {"earlier"};
  Judges judges;
  auto owned = std::make_unique<BatchJudge>();
  BatchJudge& judge = *owned;
  judges.push_back(std::move(owned));
  judge_record(record, probes, judges);
  EXPECT_EQ(record.judges, std::vector<std::string>{"batch"});
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_EQ(record.results[i].verdicts.size(), 1u);
    EXPECT_EQ(record.results[i].verdicts[0].score, i == 1 ? 1 : 5);
    EXPECT_EQ(record.results[i].verdicts[0].probability, 0.75);
  }
  for (const auto mood : {BatchJudge::Mood::short_of_one, BatchJudge::Mood::broken}) {
    judge.mood = mood;
    judge_record(record, probes, judges);
    for (const auto& result : record.results) {
      ASSERT_EQ(result.verdicts.size(), 1u);
      EXPECT_FALSE(result.verdicts[0].valid);
      EXPECT_TRUE(std::isnan(result.verdicts[0].probability));
      EXPECT_EQ(result.verdicts[0].reason,
                mood == BatchJudge::Mood::broken ? "no connection" : "want 3 verdicts, got 2");
    }
  }
}

// Memory that is missing is no verdict: the run stops with advice, and its answers are kept.
TEST(BatchJudge, WithoutMemoryNothingIsJudged) {
  EvaluationRecord record;
  const std::vector<Probe> probes(1);
  record.results.push_back({.probe_id = "", .category = "c", .prompt = "?", .response = "r"});
  Judges judges;
  auto owned = std::make_unique<BatchJudge>();
  owned->mood = BatchJudge::Mood::no_memory;
  judges.push_back(std::move(owned));
  EXPECT_THROW(judge_record(record, probes, judges), std::bad_alloc);
}

TEST(FailingJudge, OneThatNeverSpeaksLeavesEverythingOpen) {
  EvaluationRecord record;
  record.judges = {"mute"};
  for (int i = 0; i < 20; ++i) {
    ProbeResult r{.probe_id = std::to_string(i), .category = "c"};
    r.verdicts = {{.score = not_measured, .valid = false, .reason = "mute"}};
    record.results.push_back(std::move(r));
  }
  const Summary s = summarize(record);
  EXPECT_TRUE(std::isnan(s.rate()));
  EXPECT_TRUE(std::isnan(s.mean_score));
  const Estimate w = wilson_with_invalid(0, 20, 20);
  EXPECT_TRUE(std::isnan(w.value));
  EXPECT_EQ(w.lo, 0);
  EXPECT_EQ(w.hi, 1);
}

}  // namespace
}  // namespace seawall
