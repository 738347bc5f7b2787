#pragma once
// Sums over runs and categories, shared by intervals, comparisons and agreement.
#include <Eigen/Dense>
#include <vector>

#include "seawall/eval/statistics.hpp"

namespace seawall::detail {

/// Sums over the outcomes of each run and category. Shapes: all [run, category].
struct ClusterSums {
  Eigen::MatrixXd n, judged;    // outcomes, and those that were judged
  Eigen::MatrixXd known;        // sum of the measure over the judged ones
  Eigen::MatrixXd least, most;  // the same over all, the others at the least and most it can be
};
/// How many answers a run has for each of its probes, on average; 1 where probes have no ids.
double answers_per_probe(const std::vector<Outcome>& run);
/// Errors: UsageError where there is no run, or the runs hold other probes.
ClusterSums sum_by_category(const Runs& runs, Measure measure);
/// Errors: UsageError naming the first place where they differ.
void check_same_probes(const std::vector<Outcome>& a, const std::vector<Outcome>& b);
/// Places of the categories of a run, in the order of their names; of its probes if there is one
/// category and `or_probes`. Shapes: [outcome]; -> count.
std::vector<Eigen::Index> category_places(const std::vector<Outcome>& run, Eigen::Index& count,
                                          bool or_probes = false);

/// Standard error of the mean of all outcomes if the clusters (columns) are a sample: the ratio
/// estimator, sqrt(C / (C - 1) sum_c (sum_c - mean n_c)^2) / n; infinite for one cluster. Shapes:
/// both [run, cluster]. Source: Cochran 1977, sec. 11.3.
double cluster_error(const Eigen::MatrixXd& sums, const Eigen::MatrixXd& n);

/// t quantile of 95 % for an error whose square is the sum of a variance over runs and one over
/// categories: Satterthwaite's degrees of freedom, but not more than there are runs if there are
/// several, since a few runs that happen to be alike show a small variance. Source: Satterthwaite
/// 1946; the bound was found by experiments/interval_coverage.cpp.
double two_way_quantile(double runs_variance, Eigen::Index runs, double categories_variance,
                        Eigen::Index categories);

/// t quantile that `confidence` leaves outside on both sides.
double t_quantile(double degrees_of_freedom, double confidence);

}  // namespace seawall::detail
