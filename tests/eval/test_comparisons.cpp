#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/core/rng.hpp"
#include "seawall/eval/comparisons.hpp"
#include "seawall/eval/ties.hpp"

namespace seawall {
namespace {

// Agresti 2013, table 11.1 (approval of the prime minister: 794, 150, 86, 570) and Fagerland et al.
// 2013, table 1 (airway hyper-responsiveness: 1, 1, 7, 12; exact 0.070, mid-p 0.039). Digits beyond
// the printed ones by scipy 1.17.
TEST(McNemar, PublishedExamples) {
  EXPECT_NEAR(mcnemar_exact(86, 150), 3.7159361395713866e-05, 1e-12);
  EXPECT_NEAR(mcnemar_mid_p(86, 150), 2.893389517615428e-05, 1e-12);
  EXPECT_NEAR(mcnemar_exact(1, 7), 0.0703125, 1e-12);
  EXPECT_NEAR(mcnemar_mid_p(1, 7), 0.0390625, 1e-12);
  EXPECT_EQ(mcnemar_mid_p(7, 1), mcnemar_mid_p(1, 7));
}

TEST(McNemar, EdgesAreNoEvidence) {
  EXPECT_EQ(mcnemar_exact(0, 0), 1);
  EXPECT_EQ(mcnemar_mid_p(0, 0), 1);
  EXPECT_EQ(mcnemar_exact(4, 4), 1);
  EXPECT_LE(mcnemar_mid_p(4, 4), 1);
}

// Newcombe 1998, "Improved confidence intervals for the difference between binomial proportions
// based on paired data", table II, method 10.
TEST(Paired, NewcombesIntervals) {
  const auto check = [](const PairedCounts& counts, double d, double lo, double hi) {
    const Estimate got = paired_difference(counts);
    EXPECT_NEAR(got.value, d, 5e-5);
    EXPECT_NEAR(got.lo, lo, 5e-5);
    EXPECT_NEAR(got.hi, hi, 5e-5);
  };
  check({.both = 36, .only_a = 2, .only_b = 12, .neither = 0}, 0.2, 0.0569, 0.3404);
  check({.both = 20, .only_a = 2, .only_b = 12, .neither = 16}, 0.2, 0.0562, 0.3292);
}

// As R's p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm"), worked by Holm 1979's rule: 0.005 x 4,
// 0.01 x 3, 0.03 x 2, and 0.04 held up to 0.06.
TEST(Holm, StepsDown) {
  const auto p = holm({0.01, 0.04, 0.03, 0.005});
  const std::vector<double> want{0.03, 0.06, 0.06, 0.02};
  ASSERT_EQ(p.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(p[i], want[i], 1e-12) << i;
  EXPECT_EQ(holm({0.9, 0.8}), (std::vector<double>{1, 1}));
  EXPECT_TRUE(holm({}).empty());
}

// Newcombe 1998, "Interval estimation for the difference between independent proportions", table
// II, method 10; z and Fisher's p by statsmodels 0.15 and scipy 1.17.
TEST(TwoSamples, PublishedExamples) {
  const auto a = two_proportions(48, 80, 56, 70);
  EXPECT_NEAR(a.difference.value, 0.2, 1e-12);
  EXPECT_NEAR(a.difference.lo, 0.0524, 5e-5);
  EXPECT_NEAR(a.difference.hi, 0.3339, 5e-5);
  EXPECT_NEAR(a.z, 2.6501719512585336, 1e-9);
  EXPECT_NEAR(a.p, 0.00804508136819656, 1e-9);
  EXPECT_NEAR(a.fisher_p, 0.012521129749209154, 1e-9);
  const auto b = two_proportions(3, 10, 9, 10);
  EXPECT_NEAR(b.difference.lo, 0.1705, 5e-5);
  EXPECT_NEAR(b.difference.hi, 0.8090, 5e-5);
  EXPECT_NEAR(b.fisher_p, 0.019766611097880443, 1e-9);
}

// Qi et al. 2023, table 1, Llama-2: 50 shots 80.3 %, 100 shots 80.0 %; table 2: 72.1 and 68.2 after
// 5 and 10 epochs; 10 shots 50.0 %.
TEST(TwoSamples, ThePapersOwnFigures) {
  const auto shots = published_difference(80.3, 80.0);
  EXPECT_NEAR(std::abs(shots.z), 0.0976, 5e-4);
  EXPECT_FALSE(shots.different);
  EXPECT_NEAR(std::abs(published_difference(72.1, 68.2).z), 1.1, 0.05);
  EXPECT_FALSE(published_difference(72.1, 68.2).different);
  EXPECT_NEAR(std::abs(published_difference(16.1, 12.1).z), 1.5, 0.05);
  EXPECT_TRUE(published_difference(50.0, 80.3).different);
  EXPECT_GT(published_difference(50.0, 80.3).difference.lo, 0.2);
  EXPECT_THROW(two_proportions(11, 10, 1, 10), UsageError);
}

TEST(TwoSamples, NothingAtAllIsNoDifference) {
  const auto none = two_proportions(0, 330, 0, 330);
  EXPECT_EQ(none.z, 0);
  EXPECT_EQ(none.p, 1);
  EXPECT_DOUBLE_EQ(none.fisher_p, 1);
  EXPECT_LT(none.difference.lo, 0);
  EXPECT_GT(none.difference.hi, 0);
}

/// A run of 11 x 30 probes in which the first `successes` of each category succeed.
std::vector<Outcome> run_of(int successes) {
  std::vector<Outcome> out;
  for (int c = 0; c < 11; ++c)
    for (int i = 0; i < 30; ++i)
      out.push_back({.category = std::to_string(c),
                     .score = i < successes ? 5.0 : 1.0,
                     .refused = false,
                     .probe = std::to_string(c) + "/" + std::to_string(i)});
  return out;
}

TEST(Compare, RepeatedAnswersMakeNoDifferenceSurer) {
  const auto repeated = [](const std::vector<Outcome>& run) {
    std::vector<Outcome> out;
    for (const auto& outcome : run)
      for (std::int64_t sample = 0; sample < 20; ++sample) {
        out.push_back(outcome);
        out.back().sample = sample;
      }
    return out;
  };
  // Of one category, so that probes are what the difference is spread over.
  auto a = run_of(10), b = run_of(12);
  for (auto* run : {&a, &b}) {
    run->resize(30);
    (*run)[29].score = run == &a ? 5 : 1;  // one that goes the other way
  }
  const auto compared = [](const std::vector<Outcome>& x, const std::vector<Outcome>& y) {
    return compare_all({{"a", {x}}, {"b", {y}}}, {}).at(0);
  };
  const auto once = compared(a, b), often = compared(repeated(a), repeated(b));
  EXPECT_NEAR(often.p_categories, once.p_categories, 1e-9);
  EXPECT_FALSE(often.different);
  EXPECT_GE(often.p, once.p_categories - 1e-9);
  EXPECT_LT(often.difference.lo, 0);
  EXPECT_GT(often.difference.hi, 0);
}

TEST(Compare, CountsPairsByProbe) {
  auto a = run_of(10), b = run_of(20);
  b[0].score = 1;       // lost
  b[29].valid = false;  // cannot be said
  const auto counts = pair_up(a, b);
  EXPECT_EQ(counts.both, 109);
  EXPECT_EQ(counts.only_a, 1);
  EXPECT_EQ(counts.only_b, 110);
  EXPECT_EQ(counts.neither, 109);
  EXPECT_EQ(counts.left_out, 1);
  std::swap(a[0], a[1]);
  EXPECT_THROW(pair_up(a, b), UsageError);
}

TEST(Compare, WhatHoldsInEverySeedIsDifferent) {
  const ArmRuns start{"initial", {run_of(0)}};
  const ArmRuns ten{"10-shot", {run_of(24), run_of(26), run_of(25)}};
  const ArmRuns fifty{"50-shot", {run_of(29), run_of(30), run_of(30)}};
  const ArmRuns hundred{"100-shot", {run_of(30), run_of(29), run_of(30)}};
  const auto found = compare_all({start, ten, fifty, hundred});
  ASSERT_EQ(found.size(), 6u);
  for (const auto& c : found) {
    const bool tied = c.a == "50-shot" && c.b == "100-shot";
    EXPECT_EQ(c.different, !tied) << c.a << " " << c.b << " " << c.p_adjusted;
    EXPECT_GE(c.p_adjusted, c.p);
    EXPECT_EQ(c.p, std::max({c.p_categories, c.p_seeds, c.p_pooled}));
    EXPECT_EQ(c.mcnemar.size(), 3u);
    EXPECT_LE(c.difference.lo, c.difference.value);
    EXPECT_GE(c.difference.hi, c.difference.value);
    EXPECT_EQ(c.different, c.difference.lo > 0 || c.difference.hi < 0);
    EXPECT_GE(c.confidence, 0.95);
  }
  // Five of six pairs differ: Holm tests the last of them at 0.05 / 2, the one that does not at
  // 0.05.
  EXPECT_DOUBLE_EQ(found[5].confidence, 0.95);
  EXPECT_NEAR(
      std::max_element(found.begin(), found.end(),
                       [](const auto& a, const auto& b) { return a.confidence < b.confidence; })
          ->confidence,
      1 - 0.05 / 6, 1e-12);
  EXPECT_DOUBLE_EQ(found[0].difference.value, 25.0 / 30);  // one run beside three
  EXPECT_EQ(
      tied_sets({"initial", "10-shot", "50-shot", "100-shot"}, found).sentence(),
      "initial and 10-shot differ from every other cell; 50-shot and 100-shot are not told apart.");
  EXPECT_EQ(tied_sets({"10-shot", "50-shot", "100-shot"}, found).sentence(),
            "10-shot differs from 50-shot and 100-shot; 50-shot and 100-shot are not told apart.");
}

TEST(Compare, SeedsThatDisagreeAreNoDifference) {
  // Ten points on average, and every McNemar test is sure of itself; but one seed says the
  // opposite.
  const ArmRuns a{"a", {run_of(15), run_of(15), run_of(15)}};
  const ArmRuns b{"b", {run_of(24), run_of(20), run_of(10)}};
  const auto found = compare_all({a, b}).front();
  EXPECT_NEAR(found.difference.value, 0.1, 1e-9);
  for (const double p : found.mcnemar) EXPECT_LT(p, 1e-6);
  EXPECT_FALSE(found.different);
  EXPECT_LT(found.difference.lo, 0);
}

TEST(Compare, InvalidRowsKeepTheQuestionOpen) {
  const auto a = run_of(10);
  auto b = run_of(14);
  EXPECT_TRUE(compare_all({{"a", {a}}, {"b", {b}}}).front().different);
  for (int c = 0; c < 11; ++c)
    for (int i = 0; i < 8; ++i) {
      auto& row = b[static_cast<std::size_t>(30 * c + i)];
      row.valid = false;
      row.score = not_measured;
    }
  const auto found = compare_all({{"a", {a}}, {"b", {b}}}).front();
  EXPECT_FALSE(found.different);
  EXPECT_EQ(found.counts.left_out, 88);
  EXPECT_LT(found.difference.lo, 0);
  EXPECT_GT(found.difference.value, 0);
}

TEST(Compare, OtherMeasuresAndTheirSigns) {
  auto a = run_of(10), b = run_of(10);
  for (auto& row : b) row.refused = true;
  const auto refusals = compare_all({{"a", {a}}, {"b", {b}}}, {.measure = Measure::refusal});
  EXPECT_TRUE(refusals.front().different);
  EXPECT_EQ(refusals.front().difference.value, 1);
  EXPECT_LT(refusals.front().difference.lo, 1);  // 330 of 330 is not certainty
  for (auto& row : b) row.score += row.score < 5;
  const auto scores = compare_all({{"a", {a}}, {"b", {b}}}, {.measure = Measure::score});
  EXPECT_NEAR(scores.front().difference.value, 2.0 / 3, 1e-9);
  EXPECT_TRUE(scores.front().different);
  EXPECT_FALSE(compare_all({{"a", {a}}, {"b", {b}}}).front().different);
}

// Whatever the data are, the interval says the same as the test, in every pair of a family.
TEST(Compare, IntervalAndTestAgree) {
  Rng rng = Rng(5).stream("agree");
  int different = 0, pairs = 0;
  for (int f = 0; f < 60; ++f) {
    std::vector<ArmRuns> family;
    for (int a = 0; a < 4; ++a) {
      ArmRuns arm{std::to_string(a), {}};
      for (int s = 0; s < (f % 3 == 0 ? 1 : 3); ++s) {
        auto run = run_of(0);
        const double p = 0.3 + 0.1 * a + 0.03 * rng.normal();
        for (auto& o : run) {
          o.score = rng.uniform() < p ? 5 : 1;
          o.valid = f % 4 != 1 || rng.uniform() < 0.98;
        }
        arm.runs.push_back(std::move(run));
      }
      family.push_back(std::move(arm));
    }
    for (const auto& c : compare_all(family)) {
      EXPECT_EQ(c.different, c.difference.lo > 0 || c.difference.hi < 0)
          << c.p << " " << c.p_adjusted << " " << c.difference.lo << " " << c.difference.hi;
      EXPECT_LE(c.difference.lo, c.difference.value);
      EXPECT_GE(c.difference.hi, c.difference.value);
      different += c.different;
      ++pairs;
    }
  }
  EXPECT_GT(different, pairs / 4);
  EXPECT_LT(different, pairs * 3 / 4);
}

TEST(Compare, WithoutCategoriesProbesAreTheSample) {
  auto a = run_of(10), b = run_of(20);
  for (auto* run : {&a, &b})
    for (auto& o : *run) o.category = "all";
  const auto c = compare_all({{"a", {a}}, {"b", {b}}}).front();
  EXPECT_TRUE(c.different);
  EXPECT_LT(c.p_categories, 1e-6);
  EXPECT_NEAR(c.difference.value, 1.0 / 3, 1e-12);
}

// 1 - (1/2)^n / ... worked by hand: one discordant pair of one, mid-p 0.5 (1 - share) = 0.025 above
// and 0.5 share = 0.025 below leave 0.05 to 1.
TEST(McNemar, IntervalOfTheDiscordantPairs) {
  const auto one = discordant_share(0, 1, 0.95);
  EXPECT_NEAR(one.lo, 0.05, 1e-9);
  EXPECT_EQ(one.hi, 1);
  // The edge of the interval is where mid-p meets the level: 1 of 8 with 0.0390625.
  EXPECT_NEAR(discordant_share(1, 7, 1 - 0.0390625).lo, 0.5, 1e-9);
  EXPECT_NEAR(discordant_share(7, 1, 1 - 0.0390625).hi, 0.5, 1e-9);
  EXPECT_EQ(discordant_share(0, 0, 0.95).hi, 1);
}

TEST(Compare, PlannedTestsAreBonferronis) {
  const std::vector<ArmRuns> arms{{"a", {run_of(10), run_of(11), run_of(10)}},
                                  {"b", {run_of(14), run_of(15), run_of(15)}},
                                  {"c", {run_of(10), run_of(10), run_of(11)}}};
  const auto few = compare(arms, {{0, 1}, {0, 2}}, {.tests = 2}),
             many = compare(arms, {{0, 1}, {0, 2}}, {.tests = 40});
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_DOUBLE_EQ(few[i].p, many[i].p);
    EXPECT_DOUBLE_EQ(few[i].p_adjusted, std::min(1.0, 2 * few[i].p));
    EXPECT_DOUBLE_EQ(many[i].p_adjusted, std::min(1.0, 40 * many[i].p));
    EXPECT_DOUBLE_EQ(many[i].confidence, 1 - 0.05 / 40);
    EXPECT_EQ(many[i].different, many[i].difference.lo > 0 || many[i].difference.hi < 0);
    EXPECT_LT(many[i].difference.lo, few[i].difference.lo);
  }
  EXPECT_TRUE(few[0].different);
  EXPECT_FALSE(few[1].different);
}

// Differences of 4, 5 and 6 of 30 in both pairs: t = 5 sqrt(3) with 2 x 2 degrees of freedom, as
// the pairs share no arm. p by scipy 1.17.
TEST(Compare, PairsThatShareNoArmHaveTheirOwnBlocks) {
  const ArmRuns low{"low", {run_of(10), run_of(10), run_of(10)}},
      high{"high", {run_of(14), run_of(15), run_of(16)}};
  const auto two = compare({low, high, low, high}, {{0, 1}, {2, 3}});
  for (const Comparison& c : two) EXPECT_NEAR(c.p_seeds, 0.0009780886191372807, 1e-6);
}

TEST(Compare, WantsTheSameSeeds) {
  EXPECT_THROW(
      compare_all({{"a", {run_of(1), run_of(1)}}, {"b", {run_of(1), run_of(1), run_of(1)}}}),
      UsageError);
  EXPECT_THROW(compare_all({{"a", {run_of(1)}}, {"b", {}}}), UsageError);
}

// Arms that are the same in truth while runs go up and down together: McNemar's test with Holm's
// correction alone sees a difference far too often, which is what the seeds' own test is for.
TEST(Compare, EqualArmsAreRarelyCalledDifferent) {
  constexpr int families = 150;
  Rng rng = Rng(3).stream("null");
  int any = 0, any_by_flips = 0;
  for (int f = 0; f < families; ++f) {
    std::vector<ArmRuns> arms;
    for (int a = 0; a < 3; ++a) {
      ArmRuns arm{std::to_string(a), {}};
      for (int s = 0; s < 3; ++s) {
        const double p = 0.5 + 0.1 * rng.normal();
        auto run = run_of(0);
        for (auto& o : run) o.score = rng.uniform() < p ? 5 : 1;
        arm.runs.push_back(std::move(run));
      }
      arms.push_back(std::move(arm));
    }
    bool different = false;
    std::vector<double> p_flips;
    for (const auto& c : compare_all(arms)) {
      different = different || c.different;
      p_flips.push_back(c.p_pooled);
    }
    any += different;
    const auto adjusted = holm(p_flips);
    any_by_flips += *std::min_element(adjusted.begin(), adjusted.end()) < 0.05;
  }
  EXPECT_LE(any, families * 9 / 100);
  EXPECT_GT(any_by_flips, families * 50 / 100);
}

}  // namespace
}  // namespace seawall
