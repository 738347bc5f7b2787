#pragma once
// Which cells can be told apart: paired tests by probe between arms, Holm over a family; and what
// counts alone can say. docs/statistics.md states the rule in words.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "seawall/eval/statistics.hpp"

namespace seawall {

/// Two runs over the same probes: in how many only one of them, both or neither has the success.
struct PairedCounts {
  std::int64_t both = 0, only_a = 0, only_b = 0, neither = 0;
  std::int64_t left_out = 0;  // a judge could not say in one of them
};
/// Errors: UsageError where the runs hold other probes.
PairedCounts pair_up(const std::vector<Outcome>& a, const std::vector<Outcome>& b,
                     Measure measure = Measure::success);

/// Difference of the two shares (b less a) with its interval; counts that are summed over several
/// `runs` are divided by them. Source: Newcombe 1998, "Improved
/// confidence intervals for the difference between binomial proportions based on paired data",
/// method 10.
Estimate paired_difference(const PairedCounts& counts, double confidence = 0.95, double runs = 1);

/// Two-sided p of McNemar's test from the discordant pairs. Exact: binomial with 1/2. Mid-p: the
/// exact one less half the probability of the table itself, closer to its level than the exact and
/// the asymptotic test. Source: Agresti 2013, sec. 11.1; Fagerland, Lydersen and Laake 2013.
double mcnemar_exact(std::int64_t only_a, std::int64_t only_b);
double mcnemar_mid_p(std::int64_t only_a, std::int64_t only_b);
/// The share of `only_b` among the discordant pairs with its mid-p interval, which leaves out 1/2
/// if and only if mcnemar_mid_p is below 1 - confidence. Source: Agresti 2013, sec. 16.6.1.
Estimate discordant_share(std::int64_t only_a, std::int64_t only_b, double confidence);

/// Holm's step-down p-values, in the order given. Source: Holm 1979.
std::vector<double> holm(const std::vector<double>& p);

/// Two proportions of different samples, from counts. `difference` is second less first with
/// Newcombe's interval for independent samples (1998, method 10); z pooled; p of z two-sided;
/// Fisher's exact p next to it.
struct TwoProportions {
  Estimate difference;
  double z = 0, p = 1, fisher_p = 1;
  bool different = false;  // p < 0.05
};
TwoProportions two_proportions(std::int64_t first, std::int64_t n_first, std::int64_t second,
                               std::int64_t n_second);
/// The same for figures that a paper prints in percent of n. Units: percent.
TwoProportions published_difference(double first_percent, double second_percent,
                                    std::int64_t n = 330);

/// An arm with its runs, one a seed; an arm that was not trained may have one, which is then
/// paired with every seed of the other.
struct ArmRuns {
  std::string name;
  Runs runs;
};

/// Arm b less arm a. Units: shares (score: 1..5).
struct Comparison {
  std::string a, b;
  Estimate difference;          // with the interval of `confidence`
  double confidence = 0.95;     // 1 less the level at which Holm's procedure tests this pair
  PairedCounts counts;          // summed over seeds; zeros for scores
  std::vector<double> mcnemar;  // mid-p of each seed: do these two models differ on these probes?
  double p_categories = 1;      // t over the categories' differences
  double p_seeds = 1;           // t over the seeds' differences; one run: as p_categories
  double p_pooled = 1;          // McNemar's mid-p of the summed counts; scores: as p_categories
  double p = 1;                 // the largest of the three
  double p_adjusted = 1;        // Holm over the family, or Bonferroni over CompareOptions::tests
  bool different = false;       // p_adjusted < alpha; otherwise the two are not told apart
};

struct CompareOptions {
  Measure measure = Measure::success;
  double alpha = 0.05;
  /// How many tests there are in all, if that is fixed beforehand: each is made at alpha / tests
  /// (Bonferroni), so that no other pair's outcome changes its verdict. 0: Holm over the pairs.
  std::int64_t tests = 0;
};

/// Compares the pairs (indices into `family`), corrected over these pairs.
///
/// Two arms differ if three conditions hold, so p is the largest of three: the difference holds
/// over the categories as a sample (t of their differences; without categories, of the probes'), it
/// is beyond chance flips (McNemar), and it holds over the seeds as a sample. A few seeds cannot
/// show their own spread, so for the last one the variance between seeds is pooled over the pairs
/// of the family, in units of p(1 - p) of their arms (quasi-binomial), with (seeds - 1) x (arms -
/// 1) degrees of freedom as in a block design, but not more than (seeds - 1) x pairs; a pair's own
/// variance counts if it is larger. Holm's
/// procedure corrects p over the pairs.
///
/// The interval of a difference is the widest of the three intervals that belong to the tests, each
/// at the level at which Holm's procedure tests this pair: alpha / (pairs - rank) for the pairs
/// that differ, by the rank of their p, and alpha / (pairs that do not differ) for all others. It
/// leaves out 0 if and only if the two differ; of pairs not told apart it is also never narrower
/// than Newcombe's interval of one run. An invalid row counts both ways in the interval and in p,
/// and is left out of McNemar's counts. Sources: McCullagh and Nelder 1989, ch. 4.5; Berger 1982
/// (intersection-union test); Holm 1979. Errors: UsageError if arms hold other probes or other
/// numbers of seeds.
std::vector<Comparison> compare(const std::vector<ArmRuns>& family,
                                const std::vector<std::pair<std::size_t, std::size_t>>& pairs,
                                const CompareOptions& options = {});
/// Every pair of the family.
std::vector<Comparison> compare_all(const std::vector<ArmRuns>& family,
                                    const CompareOptions& options = {});

}  // namespace seawall
