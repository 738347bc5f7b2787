#include "seawall/eval/clusters.hpp"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "seawall/core/error.hpp"

namespace seawall::detail {
namespace {

/// Whether `b`, the outcome after `a`, is another answer to the same probe.
bool same_probe(const Outcome& a, const Outcome& b) {
  return b.sample > 0 && a.probe == b.probe && a.category == b.category;
}

}  // namespace

void check_same_probes(const std::vector<Outcome>& a, const std::vector<Outcome>& b) {
  if (a.size() != b.size())
    throw UsageError("statistics: the runs hold " + std::to_string(a.size()) + " and " +
                     std::to_string(b.size()) + " probes; they need the same");
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].category == b[i].category && a[i].probe == b[i].probe && a[i].sample == b[i].sample)
      continue;
    throw UsageError("statistics: place " + std::to_string(i) + " is the probe `" + a[i].probe +
                     "` of category `" + a[i].category + "` in one run and `" + b[i].probe +
                     "` of `" + b[i].category + "` in another; the runs need the same probes");
  }
}

std::vector<Eigen::Index> category_places(const std::vector<Outcome>& run, Eigen::Index& count,
                                          bool or_probes) {
  std::map<std::string, Eigen::Index> places;
  for (const auto& outcome : run) places.try_emplace(outcome.category, 0);
  count = 0;
  for (auto& [name, place] : places) place = count++;
  std::vector<Eigen::Index> out;
  out.reserve(run.size());
  if (count != 1 || !or_probes) {
    for (const auto& outcome : run) out.push_back(places.at(outcome.category));
    return out;
  }
  count = 0;
  for (std::size_t i = 0; i < run.size(); ++i)
    out.push_back(i > 0 && same_probe(run[i - 1], run[i]) ? count - 1 : count++);
  return out;
}

double answers_per_probe(const std::vector<Outcome>& run) {
  double probes = 0;
  for (std::size_t i = 0; i < run.size(); ++i) probes += i == 0 || !same_probe(run[i - 1], run[i]);
  return static_cast<double>(run.size()) / std::max(probes, 1.0);
}

ClusterSums sum_by_category(const Runs& runs, Measure measure) {
  if (runs.empty() || runs.front().empty())
    throw UsageError("statistics: want at least one run with probes, got none");
  Eigen::Index categories = 0;
  const auto places = category_places(runs.front(), categories);
  const Eigen::MatrixXd zero =
      Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(runs.size()), categories);
  ClusterSums s{zero, zero, zero, zero, zero};
  const double least = measure == Measure::score ? 1 : 0, most = measure == Measure::score ? 5 : 1;
  for (std::size_t r = 0; r < runs.size(); ++r) {
    check_same_probes(runs.front(), runs[r]);
    const auto row = static_cast<Eigen::Index>(r);
    for (std::size_t i = 0; i < runs[r].size(); ++i) {
      const Outcome& o = runs[r][i];
      const bool said = known(o, measure);
      const double value = said ? read(o, measure) : 0;
      s.n(row, places[i]) += 1;
      s.judged(row, places[i]) += said;
      s.known(row, places[i]) += value;
      s.least(row, places[i]) += said ? value : least;
      s.most(row, places[i]) += said ? value : most;
    }
  }
  return s;
}

double cluster_error(const Eigen::MatrixXd& sums, const Eigen::MatrixXd& n) {
  const auto clusters = static_cast<double>(sums.cols());
  if (clusters < 2) return std::numeric_limits<double>::infinity();
  const double mean = sums.sum() / n.sum();
  const Eigen::ArrayXd off = (sums.colwise().sum() - mean * n.colwise().sum()).transpose().array();
  return std::sqrt(clusters / (clusters - 1) * off.square().sum()) / n.sum();
}

double two_way_quantile(double runs_variance, Eigen::Index runs, double categories_variance,
                        Eigen::Index categories) {
  const auto part = [](double variance, Eigen::Index groups) {
    return groups < 2 ? 0 : variance * variance / static_cast<double>(groups - 1);
  };
  const double variance = runs_variance + categories_variance;
  const double parts = part(runs_variance, runs) + part(categories_variance, categories);
  double freedom = parts > 0 ? variance * variance / parts : 1;
  if (runs > 1) freedom = std::min(freedom, static_cast<double>(runs));
  return t_quantile(freedom, 0.95);
}

double t_quantile(double degrees_of_freedom, double confidence) {
  const boost::math::students_t t(degrees_of_freedom);
  return boost::math::quantile(boost::math::complement(t, (1 - confidence) / 2));
}

}  // namespace seawall::detail
