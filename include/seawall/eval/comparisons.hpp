#pragma once
// Which differences are real: paired tests by probe between arms, Holm over a family; and what
// counts alone can say.
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

/// Difference of the two shares (b less a) with its interval. Source: Newcombe 1998, "Improved
/// confidence intervals for the difference between binomial proportions based on paired data",
/// method 10.
Estimate paired_difference(const PairedCounts& counts);

/// Two-sided p of McNemar's test from the discordant pairs. Exact: binomial with 1/2. Mid-p: the
/// exact one less half the probability of the table itself, closer to its level than the exact and
/// the asymptotic test. Source: Agresti 2013, sec. 11.1; Fagerland, Lydersen and Laake 2013.
double mcnemar_exact(std::int64_t only_a, std::int64_t only_b);
double mcnemar_mid_p(std::int64_t only_a, std::int64_t only_b);

/// Holm's step-down p-values, in the order given. Source: Holm 1979.
std::vector<double> holm(const std::vector<double>& p);

/// Two proportions of different samples, from counts. `difference` is second less first with
/// Newcombe's interval for independent samples (1998, method 10); z pooled; p of z two-sided;
/// Fisher's exact p beside it.
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

/// An arm with its runs, one a seed; an arm that was not trained may have one, which then stands
/// beside every seed of the other.
struct ArmRuns {
  std::string name;
  Runs runs;
};

/// Arm b less arm a. Units: shares (score: 1..5).
struct Comparison {
  std::string a, b;
  Estimate difference;          // 95 %, not corrected for the family
  PairedCounts counts;          // summed over seeds; zeros for scores
  std::vector<double> mcnemar;  // mid-p a seed: do these two models differ on these probes?
  double p_probes = 1;          // paired bootstrap: seeds, then categories
  double p_seeds = 1;           // seeds as blocks: t of the seeds' differences; 1 run: as p_probes
  double p_pooled = 1;          // McNemar's mid-p of the summed counts; scores: as p_probes
  double p = 1;                 // the largest of the three
  double p_adjusted = 1;        // Holm, over the family
  bool different = false;       // p_adjusted < 0.05
};

struct CompareOptions {
  Measure measure = Measure::success;
  double alpha = 0.05;
  std::uint64_t seed = 1;  // of the bootstrap
};

/// Compares the pairs (indices into `family`), corrected over these pairs.
///
/// A difference must hold in three readings, and its p is the largest: over the probes (bootstrap
/// of the paired differences), beyond chance flips (McNemar), and over the seeds. A few seeds
/// resampled cannot show their own spread, so for the last one the variance between seeds is pooled
/// over the pairs of the family, in units of p(1 - p) of their arms (quasi-binomial), and has
/// (seeds - 1) x (arms - 1) degrees of freedom as in a block design. The interval is the
/// bootstrap's widened to that t interval. An invalid row counts both ways in the interval and is
/// left out of McNemar's counts. Sources: McCullagh and Nelder 1989, ch. 4.5; Berger 1982
/// (intersection-union test). Errors: UsageError where arms hold other probes or other numbers of
/// seeds.
std::vector<Comparison> compare(const std::vector<ArmRuns>& family,
                                const std::vector<std::pair<std::size_t, std::size_t>>& pairs,
                                const CompareOptions& options = {});
/// Every pair of the family.
std::vector<Comparison> compare_all(const std::vector<ArmRuns>& family,
                                    const CompareOptions& options = {});

}  // namespace seawall
