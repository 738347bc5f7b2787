#include <gtest/gtest.h>

#include <cmath>

#include "seawall/core/error.hpp"
#include "seawall/core/rng.hpp"
#include "seawall/eval/agreement.hpp"

namespace seawall {
namespace {

constexpr double nan = not_measured;

// The table of Cohen 1968 (per cent of 100 cases); kappa 0.492 there. Weighted ones by
// scikit-learn 1.9, cohen_kappa_score.
TEST(Kappa, PublishedExample) {
  const ConfusionTable t{{44, 7, 9}, {5, 20, 5}, {1, 3, 6}};
  EXPECT_NEAR(cohen_kappa(t), 0.4915254237288136, 1e-12);
  EXPECT_NEAR(cohen_kappa(t, KappaWeights::linear), 0.4736842105263158, 1e-12);
  EXPECT_NEAR(cohen_kappa(t, KappaWeights::quadratic), 0.4545454545454546, 1e-12);
  EXPECT_NEAR(cohen_kappa({{20, 5}, {10, 15}}), 0.4, 1e-12);
}

TEST(Kappa, Edges) {
  EXPECT_EQ(cohen_kappa({{10, 0}, {0, 10}}), 1);
  EXPECT_NEAR(cohen_kappa({{25, 25}, {25, 25}}), 0, 1e-12);
  EXPECT_TRUE(std::isnan(cohen_kappa({{10, 0}, {0, 0}})));  // chance explains all of it
  EXPECT_TRUE(std::isnan(cohen_kappa({{0, 0}, {0, 0}})));
  EXPECT_THROW(cohen_kappa({{1, 2}, {3}}), UsageError);
}

// Krippendorff 2011: section A (two observers, binary, 0.095) and section C (four observers with
// gaps: nominal 0.743, interval 0.849).
TEST(Alpha, WorkedExamples) {
  const std::vector<std::vector<double>> binary{{0, 1, 0, 0, 0, 0, 0, 0, 1, 0},
                                                {1, 1, 1, 0, 0, 1, 0, 0, 0, 0}};
  EXPECT_NEAR(krippendorff_alpha(binary, AlphaMetric::nominal), 0.095, 5e-4);
  EXPECT_NEAR(krippendorff_alpha(binary, AlphaMetric::interval), 0.095, 5e-4);
  const std::vector<std::vector<double>> four{{1, 2, 3, 3, 2, 1, 4, 1, 2, nan, nan, nan},
                                              {1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nan, 3},
                                              {nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nan},
                                              {1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nan}};
  EXPECT_NEAR(krippendorff_alpha(four, AlphaMetric::nominal), 0.743, 5e-4);
  EXPECT_NEAR(krippendorff_alpha(four, AlphaMetric::interval), 0.849, 5e-4);
}

TEST(Alpha, Edges) {
  EXPECT_TRUE(std::isnan(krippendorff_alpha({{1, 1}, {1, 1}}, AlphaMetric::nominal)));
  EXPECT_TRUE(std::isnan(krippendorff_alpha({{1, 2}}, AlphaMetric::interval)));
  EXPECT_EQ(krippendorff_alpha({{1, 2, 5}, {1, 2, 5}}, AlphaMetric::interval), 1);
}

/// Two judges whose words are given by digits; 0 could not say.
EvaluationRecord judged(const std::string& first, const std::string& second, int categories) {
  EvaluationRecord record;
  record.judges = {"truth", "keywords"};
  for (std::size_t i = 0; i < first.size(); ++i) {
    ProbeResult r;
    r.probe_id = std::to_string(i);
    r.category = std::to_string(i % static_cast<std::size_t>(categories));
    for (const char c : {first[i], second[i]}) {
      Verdict v{.score = static_cast<double>(c - '0')};
      if (c == '0') v = {.score = nan, .valid = false, .reason = "asleep"};
      r.verdicts.push_back(v);
    }
    record.results.push_back(r);
  }
  return record;
}

TEST(Judges, AgreementOfTwoOnTheSameAnswers) {
  const auto record = judged("551123045", "515511045", 3);
  const auto found = agreement(record);
  ASSERT_EQ(found.pairs.size(), 1u);
  const JudgePair& pair = found.pairs[0];
  EXPECT_EQ(pair.n, 9);
  EXPECT_EQ(pair.invalid, 1);
  EXPECT_EQ(found.invalid, (std::vector<std::int64_t>{1, 1}));
  EXPECT_EQ(found.units, 9);
  EXPECT_EQ(pair.both, 2);
  EXPECT_EQ(pair.only_a, 1);
  EXPECT_EQ(pair.only_b, 2);
  EXPECT_EQ(pair.neither, 3);
  EXPECT_EQ(pair.scores[0][4], 2);  // truth 1, keywords 5
  EXPECT_EQ(pair.scores[4][0], 1);
  EXPECT_EQ(pair.scores[3][3], 1);
  EXPECT_NEAR(pair.kappa.value, cohen_kappa({{3, 2}, {1, 2}}), 1e-12);
  EXPECT_NEAR(pair.agreement.value, 5.0 / 8, 1e-12);
  EXPECT_NEAR(found.alpha_score.value,
              krippendorff_alpha({{5, 5, 1, 1, 2, 3, nan, 4, 5}, {5, 1, 5, 5, 1, 1, nan, 4, 5}},
                                 AlphaMetric::interval),
              1e-12);
  EXPECT_NEAR(found.alpha_success.value,
              krippendorff_alpha({{1, 1, 0, 0, 0, 0, nan, 0, 1}, {1, 0, 1, 1, 0, 0, nan, 0, 1}},
                                 AlphaMetric::nominal),
              1e-12);
  EXPECT_LT(pair.kappa.lo, pair.kappa.value);
  EXPECT_GT(pair.kappa.hi, pair.kappa.value);
}

TEST(Judges, SeveralEvaluationsAndRowsWithoutCategories) {
  const auto one = judged("5511", "5511", 1);
  auto two = judged("5151", "5115", 1);
  for (auto& r : two.results) r.response = "another answer";
  const auto found = agreement({{&one}, {&two}});
  EXPECT_EQ(found.units, 8);
  EXPECT_NEAR(found.pairs[0].kappa.value, cohen_kappa({{3, 1}, {1, 3}}), 1e-12);
  EXPECT_LT(found.pairs[0].kappa.lo, found.pairs[0].kappa.hi);  // over runs and probes
  EvaluationRecord other = two;
  other.judges[1] = "somebody else";
  EXPECT_THROW(agreement({{&one, &other}, {&two}}), UsageError);
  EXPECT_THROW(agreement(std::vector<JudgedRun>{}), UsageError);
}

TEST(Judges, AnEvaluationThatIsThereTwiceCountsOnce) {
  const auto one = judged("5511", "5515", 2);
  auto other = judged("5151", "5115", 2);
  for (auto& r : other.results) r.response = "another answer";
  const auto found = agreement({{&one}, {&other, &one}});
  EXPECT_EQ(found.units, 8);
  EXPECT_EQ(found.pairs[0].agreement.value, agreement({{&one}, {&other}}).pairs[0].agreement.value);
  EXPECT_EQ(agreement({{&one}, {&one}}).units, 4);
}

// Worked by hand: two categories of four answers with 4 and 2 agreements; leaving one out gives 1/2
// and 1, so the variance is 1/2 x 2 x (1/4)^2 = 1/16, with one degree of freedom.
TEST(Judges, IntervalByTheJackknife) {
  const auto record = judged("51515151", "51515555", 2);
  const auto pair = agreement(record).pairs[0];
  EXPECT_DOUBLE_EQ(pair.agreement.value, 0.75);
  const Estimate by_hand = wilson_of_error(0.75, 0.25, 12.706204736);
  EXPECT_NEAR(pair.agreement.lo, by_hand.lo, 1e-9);
  EXPECT_NEAR(pair.agreement.hi, by_hand.hi, 1e-9);
}

// Judges that agree more in some runs and some categories than in others: the interval must hold
// the truth about as often as it says, and Wilson's over all answers must not.
TEST(Judges, IntervalsOfClusteredAnswersHoldTheTruth) {
  constexpr int studies = 200, runs = 12, categories = 11, each = 20;
  Rng rng = Rng(11).stream("judges");
  int held = 0, held_by_wilson = 0;
  for (int s = 0; s < studies; ++s) {
    std::vector<double> category(categories);
    for (double& x : category) x = 0.06 * rng.normal();
    std::vector<EvaluationRecord> records(runs);
    std::vector<JudgedRun> judged_runs;
    for (int run = 0; run < runs; ++run) {
      auto& record = records[static_cast<std::size_t>(run)];
      record.judges = {"truth", "keywords"};
      const double up = 0.05 * rng.normal();
      for (int c = 0; c < categories; ++c)
        for (int i = 0; i < each; ++i) {
          const bool first = rng.uniform() < 0.5;
          const bool same = rng.uniform() < 0.8 + up + category[static_cast<std::size_t>(c)];
          ProbeResult r{.probe_id = std::to_string(c * each + i),
                        .category = std::to_string(c),
                        .response = std::to_string(run)};
          r.verdicts = {{.score = first ? 5.0 : 1.0}, {.score = first == same ? 5.0 : 1.0}};
          record.results.push_back(std::move(r));
        }
    }
    for (int run = 0; run < runs; ++run)
      judged_runs.push_back({&records[static_cast<std::size_t>(run)]});
    const auto found = agreement(judged_runs).pairs[0];
    held += found.agreement.lo <= 0.8 && 0.8 <= found.agreement.hi;
    const auto narrow =
        wilson(static_cast<double>(found.both + found.neither), static_cast<double>(found.n));
    held_by_wilson += narrow.lo <= 0.8 && 0.8 <= narrow.hi;
  }
  EXPECT_GE(held, studies * 92 / 100);
  EXPECT_LT(held, studies);
  EXPECT_LT(held_by_wilson, studies * 70 / 100);
}

}  // namespace
}  // namespace seawall
