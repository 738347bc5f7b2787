#pragma once
// What a plan can show before anything trains: the smallest difference that n probes and k seeds
// detect.
#include <cstdint>
#include <string>

namespace seawall {

/// A comparison of two arms that is planned. Units: shares in 0..1.
struct Plan {
  std::int64_t probes = 330, seeds = 3, categories = 11;
  double rate = 0.5;  // of the arm that is compared with
  double power = 0.8, alpha = 0.05;
  // Correlations of outcomes (unpaired) or of differences (paired); the defaults are what the
  // organism shows in the cells of its tables between 3 and 97 %, three seeds each.
  double category_correlation = 0.1;           // two of one category in one run
  double lasting_category_correlation = 0.03;  // two of one category in two runs
  double run_correlation = 0.05;               // two of one run: whole runs go up and down
  double probe_correlation = 0.1;              // the two arms on the same probe
  /// Errors: UsageError naming the field.
  void check() const;
};

/// The smallest difference upwards or downwards from `plan.rate` that a two-sided test finds with
/// the plan's power; NaN where even 0 or 1 would not be found.
struct Detectable {
  double up = 0, down = 0;
  double smaller() const;
};
/// Paired: the same probes and seeds in both arms. Unpaired: other probes and seeds, as against a
/// published figure. Source: Fleiss, Levin and Paik 2003, eq. 4.14, and Connor 1987 for pairs; both
/// with n replaced by as many independent outcomes as k runs of n probes in c categories are worth,
/// 1/n' = (1 - r)/(n k) + (r - l)/(c k) + l/c (r, l: correlation in a category, in one run and
/// lasting), and with the runs' own variance over k.
Detectable minimum_detectable(const Plan& plan, bool paired);

/// Power of McNemar's mid-p test over n independent pairs, by enumeration: `only_a` and `only_b`
/// are the chances of a pair that is discordant one way and the other.
double mcnemar_power(std::int64_t n, double only_a, double only_b, double alpha = 0.05);

/// Detectable differences over base rates, and over seeds at the plan's own rate, for a terminal.
std::string plan_table(const Plan& plan);

}  // namespace seawall
