#pragma once
// Resampling of runs and clusters, shared by intervals, comparisons and agreement.
#include <Eigen/Dense>
#include <cstdint>
#include <string>
#include <vector>

#include "seawall/eval/statistics.hpp"

namespace seawall::detail {

/// Sums over the outcomes of each run and category. Shapes: all [run, category].
struct ClusterSums {
  Eigen::MatrixXd n, judged;    // outcomes, and those that were judged
  Eigen::MatrixXd known;        // sum of the measure over the judged ones
  Eigen::MatrixXd least, most;  // the same over all, the others at the least and most it can be
};
/// Errors: UsageError where there is no run, or the runs hold other probes.
ClusterSums sum_by_category(const Runs& runs, Measure measure);
/// Errors: UsageError naming the first place where they differ.
void check_same_probes(const std::vector<Outcome>& a, const std::vector<Outcome>& b);
/// Places of the categories of a run, in the order of their names. Shapes: [outcome]; -> count.
std::vector<Eigen::Index> category_places(const std::vector<Outcome>& run, Eigen::Index& count);

/// How often each run and each category was drawn. Shapes: runs [run, resample], categories
/// [category, resample].
struct Resamples {
  Eigen::MatrixXd runs, categories;
  Resamples(Eigen::Index n_runs, Eigen::Index n_categories, std::uint64_t seed, int count = 4000);
  /// The sums of every resample. Shapes: [run, category] -> [resample].
  Eigen::ArrayXd weigh(const Eigen::MatrixXd& sums) const;
};

/// Linear between order statistics. `v` is sorted by it. Errors: none; NaN where it is empty.
double percentile(std::vector<double>& v, double q);
double percentile(const Eigen::ArrayXd& v, double q);

}  // namespace seawall::detail
