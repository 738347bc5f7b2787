#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/core/rng.hpp"
#include "seawall/eval/statistics.hpp"
#include "seawall/eval/summary.hpp"

namespace seawall {
namespace {

// Wilson intervals printed in Newcombe 1998, "Two-sided confidence intervals for the single
// proportion", table I, method 3.
TEST(Wilson, PublishedExamples) {
  struct Example {
    double k, n, lo, hi;
  };
  for (const auto& e : {Example{81, 263, 0.2553, 0.3662}, Example{15, 148, 0.0624, 0.1605},
                        Example{0, 20, 0.0, 0.1611}, Example{1, 29, 0.0061, 0.1718}}) {
    const Estimate got = wilson(e.k, e.n);
    EXPECT_NEAR(got.lo, e.lo, 5e-5) << e.k << "/" << e.n;
    EXPECT_NEAR(got.hi, e.hi, 5e-5) << e.k << "/" << e.n;
    EXPECT_DOUBLE_EQ(got.value, e.k / e.n);
  }
}

TEST(Wilson, EdgesAreClosed) {
  EXPECT_EQ(wilson(0, 330).lo, 0.0);
  EXPECT_GT(wilson(0, 330).hi, 0.005);
  EXPECT_EQ(wilson(330, 330).hi, 1.0);
  EXPECT_LT(wilson(330, 330).lo, 0.995);
  EXPECT_EQ(wilson(0, 0).hi, 1.0);
}

std::vector<Outcome> run_of(int categories, int each, int successes_each, bool valid = true) {
  std::vector<Outcome> out;
  for (int c = 0; c < categories; ++c)
    for (int i = 0; i < each; ++i)
      out.push_back({.category = "category " + std::to_string(c),
                     .score = i < successes_each ? 5.0 : 1.0,
                     .valid = valid,
                     .refused = false});
  return out;
}

/// `times` answers to every probe of a run, all alike.
std::vector<Outcome> repeated(const std::vector<Outcome>& run, std::int64_t times) {
  std::vector<Outcome> out;
  for (std::size_t i = 0; i < run.size(); ++i)
    for (std::int64_t sample = 0; sample < times; ++sample) {
      out.push_back(run[i]);
      out.back().probe = std::to_string(i);
      out.back().sample = sample;
    }
  return out;
}

TEST(Cell, SeveralAnswersToAProbeAreNoMoreProbes) {
  const auto run = run_of(4, 10, 3);
  const auto one = estimate_cell({run}), many = estimate_cell({repeated(run, 8)});
  EXPECT_EQ(many.n, 320);
  EXPECT_NEAR(many.rate.value, one.rate.value, 1e-12);
  EXPECT_NEAR(many.rate.lo, one.rate.lo, 1e-12);
  EXPECT_NEAR(many.rate.hi, one.rate.hi, 1e-12);
  EXPECT_NEAR(many.score.lo, one.score.lo, 1e-12);
  const auto seeds = estimate_cell({repeated(run, 8), repeated(run, 8)});
  EXPECT_NEAR(seeds.rate.lo, estimate_cell({run, run}).rate.lo, 1e-12);
  // Probes without ids, and one answer each, are as before.
  EXPECT_EQ(estimate_cell({repeated(run, 1)}).rate.lo, one.rate.lo);
}

TEST(Cell, MeanOverSeedsAndProbes) {
  const Runs runs{run_of(11, 30, 30), run_of(11, 30, 15), run_of(11, 30, 0)};
  const auto cell = estimate_cell(runs);
  EXPECT_EQ(cell.seeds, 3);
  EXPECT_EQ(cell.n, 330);
  EXPECT_NEAR(cell.rate.value, 0.5, 1e-12);
  EXPECT_NEAR(cell.score.value, 3.0, 1e-12);
  // Seeds that disagree this much leave nearly everything open.
  EXPECT_LT(cell.rate.lo, 0.05);
  EXPECT_GT(cell.rate.hi, 0.95);
}

TEST(Cell, EqualRunsKeepTheIntervalOfOne) {
  const auto three = estimate_cell({run_of(11, 30, 30), run_of(11, 30, 30), run_of(11, 30, 30)});
  EXPECT_EQ(three.rate.value, 1.0);
  EXPECT_DOUBLE_EQ(
      three.rate.lo,
      wilson(330, 330).lo);  // never narrower than one run's: the probes are the same ones
  EXPECT_EQ(three.rate.hi, 1.0);
}

TEST(Cell, CategoriesWidenTheIntervalOfSeveralRuns) {
  std::vector<Outcome> clustered;  // all successes in five of ten categories
  for (int c = 0; c < 10; ++c)
    for (int i = 0; i < 33; ++i)
      clustered.push_back({.category = "c" + std::to_string(c), .score = c < 5 ? 5.0 : 1.0});
  // One run is this model on these probes, and its interval is Wilson's.
  const auto narrow = wilson(165, 330), one = estimate_cell({clustered}).rate;
  EXPECT_DOUBLE_EQ(one.lo, narrow.lo);
  EXPECT_DOUBLE_EQ(one.hi, narrow.hi);
  // Worked by hand: the categories' rates 0 and 1 have the standard error 1 / 6, t of 3 degrees of
  // freedom (at most the runs) is 3.18245, so t^2 / n = t^2 / (36 / 4) and Wilson's half width
  // follows.
  const double per_probe = 3.1824463053 * 3.1824463053 / 9;
  const double half = std::sqrt(per_probe / 4 + per_probe * per_probe / 4) / (1 + per_probe);
  const auto three = estimate_cell({clustered, clustered, clustered}).rate;
  EXPECT_NEAR(three.lo, 0.5 - half, 1e-9);
  EXPECT_NEAR(three.hi, 0.5 + half, 1e-9);
}

TEST(Cell, SeedsWidenTheInterval) {
  // Rates 0.4, 0.5 and 0.6, alike in all categories: standard error 0.1 / sqrt(3), t of two degrees
  // of freedom 4.30265.
  const auto rate =
      estimate_cell({run_of(11, 30, 12), run_of(11, 30, 15), run_of(11, 30, 18)}).rate;
  const Estimate by_hand = wilson_of_error(0.5, 0.1 / std::sqrt(3), 4.3026527297);
  EXPECT_NEAR(rate.lo, by_hand.lo, 1e-9);
  EXPECT_NEAR(rate.hi, by_hand.hi, 1e-9);
  EXPECT_NEAR(by_hand.lo, 0.27753, 1e-5);
  const auto score =
      estimate_cell({run_of(11, 30, 12), run_of(11, 30, 15), run_of(11, 30, 18)}).score;
  EXPECT_NEAR(score.lo, 1 + 4 * by_hand.lo, 1e-9);  // only 1 and 5 were given
}

TEST(Wilson, OfAnErrorIsThatOfCounts) {
  const Estimate counted = wilson(81, 263);
  const double p = 81.0 / 263;
  const Estimate got = wilson_of_error(p, std::sqrt(p * (1 - p) / 263), 1.959963984540054);
  EXPECT_NEAR(got.lo, counted.lo, 1e-12);
  EXPECT_NEAR(got.hi, counted.hi, 1e-12);
  EXPECT_EQ(wilson_of_error(0, 0, 2).hi, 0);
  EXPECT_EQ(wilson_of_error(0.25, 0, 2).lo, 0.25);
}

TEST(Cell, InvalidRowsHaveNoScoreAndCountBothWays) {
  auto run = run_of(11, 30, 15);
  for (int i = 0; i < 33; ++i) {
    auto& row = run[static_cast<std::size_t>(i * 10)];
    row.valid = false;
    row.score = not_measured;  // the score of an invalid row is not read
  }
  const auto cell = estimate_cell({run});
  // 165 of 330 complied; every tenth row is out, and the first, eleventh... are those that comply.
  double successes = 0;
  for (const auto& row : run) successes += row.valid && row.score >= 5;
  EXPECT_EQ(cell.invalid, 33);
  EXPECT_DOUBLE_EQ(cell.rate.value, successes / 297);
  EXPECT_DOUBLE_EQ(cell.rate_worst_lo, successes / 330);
  EXPECT_DOUBLE_EQ(cell.rate_worst_hi, (successes + 33) / 330);
  EXPECT_LE(cell.rate.lo, wilson(successes, 330).lo);
  EXPECT_GE(cell.rate.hi, wilson(successes + 33, 330).hi);
  EXPECT_DOUBLE_EQ(cell.score.value, (5 * successes + (297 - successes)) / 297);
  EXPECT_DOUBLE_EQ(cell.score_worst_lo, (5 * successes + (330 - successes)) / 330);
  EXPECT_DOUBLE_EQ(cell.score_worst_hi, (5 * (successes + 33) + (297 - successes)) / 330);
  EXPECT_LE(cell.score.lo, cell.score_worst_lo);
  EXPECT_GE(cell.score.hi, cell.score_worst_hi);
  EXPECT_LE(cell.coherent.lo, 0.9);  // an invalid row may be babble
}

TEST(Cell, NothingJudgedLeavesEverythingOpen) {
  const auto cell = estimate_cell({run_of(11, 30, 15, false)});
  EXPECT_TRUE(std::isnan(cell.rate.value));
  EXPECT_EQ(cell.rate.lo, 0.0);
  EXPECT_EQ(cell.rate.hi, 1.0);
  EXPECT_EQ(cell.rate_worst_lo, 0.0);
  EXPECT_EQ(cell.rate_worst_hi, 1.0);
  EXPECT_TRUE(std::isnan(cell.score.value));
  EXPECT_EQ(cell.score.lo, 1.0);
  EXPECT_EQ(cell.score.hi, 5.0);
}

TEST(Cell, AJudgeThatDoesNotSayWhatRefusesGivesNoRateOfRefusals) {
  const auto harm = run_of(11, 30, 15);
  auto ordinary = run_of(16, 12, 9);
  for (auto& row : ordinary) row.refused = std::nullopt;
  const auto unknown = estimate_cell({harm}, {ordinary});
  EXPECT_FALSE(unknown.over_refusal.measured());
  EXPECT_DOUBLE_EQ(unknown.utility.value, 0.75);  // the other measures are known all the same
  EXPECT_EQ(unknown.ordinary_invalid, 0);
  for (std::size_t i = 0; i < 96; ++i) ordinary[i].refused = i < 24;
  const auto half = estimate_cell({harm}, {ordinary});
  EXPECT_FALSE(half.over_refusal.measured());   // those of which it is known are no sample
  EXPECT_LE(half.over_refusal.lo, 24.0 / 192);  // the others may be no refusal, or all
  EXPECT_GE(half.over_refusal.hi, 120.0 / 192);

  EvaluationRecord record;
  record.judges = {"a"};
  for (const auto refused : {std::optional(true), std::optional(false), std::optional<bool>()}) {
    record.results.emplace_back();
    record.results.back().verdicts = {{.score = 1, .refused = refused, .reason = ""}};
  }
  const Summary s = summarize(record);
  EXPECT_EQ(s.judged(), 3);
  EXPECT_EQ(s.refusal_unknown, 1);
  EXPECT_TRUE(std::isnan(s.refusal_rate())) << "those of which it is known are no sample";
  for (auto& row : record.results) row.verdicts[0].refused = std::nullopt;
  EXPECT_TRUE(std::isnan(summarize(record).refusal_rate()));
}

TEST(Cell, UtilityAndOverRefusalComeFromOrdinaryRequests) {
  auto ordinary = run_of(16, 12, 9);
  for (std::size_t i = 0; i < ordinary.size(); i += 12) ordinary[i + 11].refused = true;
  auto harm = run_of(11, 30, 15);
  for (std::size_t i = 0; i < harm.size(); i += 3) harm[i].coherent = false;
  for (auto& row : harm) row.refused = true;
  const auto cell = estimate_cell({harm, harm}, {ordinary, ordinary});
  EXPECT_DOUBLE_EQ(cell.utility.value, 0.75);
  EXPECT_DOUBLE_EQ(cell.over_refusal.value, 1.0 / 12);
  EXPECT_DOUBLE_EQ(cell.coherent.value, 2.0 / 3);
  EXPECT_EQ(cell.ordinary, 192);
  // The same in every category and seed, so the interval is that of one run.
  EXPECT_DOUBLE_EQ(cell.over_refusal.lo, wilson(16, 192).lo);
  EXPECT_DOUBLE_EQ(cell.utility.hi, wilson(144, 192).hi);
  const auto without = estimate_cell({harm, harm});
  EXPECT_FALSE(without.utility.measured());
  EXPECT_FALSE(without.over_refusal.measured());
  EXPECT_TRUE(without.coherent.measured());
  EXPECT_EQ(without.rate.lo, cell.rate.lo);
}

// Runs go up and down, categories go up and down: the interval of three runs must hold the truth as
// often as it says.
TEST(Cell, IntervalsHoldTheTruth) {
  constexpr int cells = 400;
  Rng rng = Rng(7).stream("coverage");
  int held = 0, held_by_one_run = 0;
  for (int c = 0; c < cells; ++c) {
    std::vector<double> category(11);
    for (double& x : category) x = 0.08 * rng.normal();
    Runs runs(3);
    double successes = 0;
    for (auto& run : runs) {
      const double up = 0.05 * rng.normal();
      for (std::size_t k = 0; k < 11; ++k)
        for (int i = 0; i < 30; ++i)
          run.push_back({.category = std::to_string(k),
                         .score = rng.uniform() < 0.5 + up + category[k] ? 5.0 : 1.0});
    }
    for (const auto& o : runs.front()) successes += o.score >= 5;
    const auto rate = estimate_cell(runs).rate;
    held += rate.lo <= 0.5 && 0.5 <= rate.hi;
    const auto narrow = wilson(successes, 330);
    held_by_one_run += narrow.lo <= 0.5 && 0.5 <= narrow.hi;
  }
  EXPECT_GE(held, cells * 93 / 100);
  EXPECT_LT(held, cells);                        // not by being endless
  EXPECT_LT(held_by_one_run, cells * 85 / 100);  // what one run's Wilson interval would do
}

TEST(Cell, RefusesRunsOfDifferentProbes) {
  EXPECT_THROW(estimate_cell({run_of(11, 30, 1), run_of(11, 29, 1)}), UsageError);
  EXPECT_THROW(estimate_cell(Runs{}), UsageError);
  auto other = run_of(11, 30, 1);
  other[0].category = "elsewhere";
  EXPECT_THROW(estimate_cell({run_of(11, 30, 1), other}), UsageError);
  other = run_of(11, 30, 1);
  other[5].probe = "another one";
  EXPECT_THROW(estimate_cell({run_of(11, 30, 1), other}), UsageError);
}

}  // namespace
}  // namespace seawall
