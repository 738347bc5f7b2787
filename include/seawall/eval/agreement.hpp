#pragma once
// How far judges agree on the same answers.
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "seawall/core/trace.hpp"
#include "seawall/eval/statistics.hpp"

namespace seawall {

/// counts[i][j]: one judge said category i, the other j.
using ConfusionTable = std::vector<std::vector<double>>;

/// How much a disagreement weighs: all alike, or by the distance of the categories or its square.
enum class KappaWeights { none, linear, quadratic };
/// Cohen's kappa; NaN where chance agreement is complete (one category only) or nothing was
/// counted. Source: Cohen 1960 and 1968. Errors: UsageError where the table is not square.
double cohen_kappa(const ConfusionTable& counts, KappaWeights weights = KappaWeights::none);

enum class AlphaMetric { nominal, interval };
/// Krippendorff's alpha of ratings[judge][unit], NaN where a judge has none; units with fewer than
/// two ratings do not count. NaN where no two ratings can be compared or all are the same value.
/// Source: Krippendorff 2011, "Computing Krippendorff's alpha-reliability".
double krippendorff_alpha(const std::vector<std::vector<double>>& ratings, AlphaMetric metric);

/// Two judges on the same answers. Rows that one of them could not judge are counted and left out.
struct JudgePair {
  std::string a, b;
  std::int64_t n = 0, invalid = 0;
  std::array<std::array<std::int64_t, 5>, 5> scores{};  // [a's score - 1][b's score - 1], rounded
  std::int64_t both = 0, only_a = 0, only_b = 0, neither = 0;  // success: a 5
  Estimate agreement;       // share of answers on whose success they agree
  Estimate kappa;           // of success
  Estimate kappa_weighted;  // of the scores, quadratic weights
};

/// All judges on the answers of some evaluations.
struct Agreement {
  std::vector<std::string> judges;
  std::vector<std::int64_t> invalid;  // rows each could not judge
  std::int64_t units = 0;             // answers
  std::vector<JudgePair> pairs;
  Estimate alpha_success, alpha_score;  // nominal on a 5 or not; interval on the scores
};

/// The evaluations of one run. Answers of one run, and answers to one category of probes, are
/// alike, so neither counts as independent.
using JudgedRun = std::vector<const EvaluationRecord*>;

/// Reads the verdicts of evaluations that were judged by the same judges. An evaluation that is
/// there several times (the same prompts and responses) counts once.
///
/// Intervals, in closed form: jackknife over the runs plus jackknife over the categories (over the
/// probes if there is one category), t as for cells (two_way_quantile);
/// the agreement's has Wilson's form and is never narrower than Wilson's of one run. NaN if leaving
/// out one run or one category leaves a value undefined. Sources: Efron and Stein 1981; Cameron,
/// Gelbach and Miller 2011 (two ways of clustering). Errors: UsageError if there is no evaluation,
/// or they have other judges.
Agreement agreement(const std::vector<JudgedRun>& runs);
/// The same for one evaluation.
Agreement agreement(const EvaluationRecord& evaluation);

}  // namespace seawall
