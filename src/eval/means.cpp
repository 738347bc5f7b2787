#include "seawall/eval/means.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "seawall/core/error.hpp"
#include "seawall/eval/clusters.hpp"

namespace seawall {
namespace {

/// Sums and counts of the numbers by run and category. Shapes: both [run, category].
struct NumberSums {
  Eigen::MatrixXd sums, n;
};

NumberSums sum_numbers(const std::vector<const std::vector<ProbeNumber>*>& runs) {
  std::map<std::string, Eigen::Index> places;
  for (const auto* run : runs)
    for (const ProbeNumber& one : *run) places.try_emplace(one.category, std::ssize(places));
  const Eigen::MatrixXd zero = Eigen::MatrixXd::Zero(std::ssize(runs), std::ssize(places));
  NumberSums out{zero, zero};
  for (std::size_t r = 0; r < runs.size(); ++r)
    for (const ProbeNumber& one : *runs[r]) {
      const auto row = static_cast<Eigen::Index>(r);
      out.sums(row, places.at(one.category)) += one.value;
      out.n(row, places.at(one.category)) += 1;
    }
  return out;
}

}  // namespace

Estimate mean_of_numbers(const std::vector<std::vector<ProbeNumber>>& runs) {
  std::vector<const std::vector<ProbeNumber>*> there;  // runs with a number
  double sum = 0, n = 0;
  for (const auto& run : runs) {
    if (!run.empty()) there.push_back(&run);
    for (const ProbeNumber& one : run) {
      if (!std::isfinite(one.value))
        throw UsageError("mean_of_numbers: a number of category `" + one.category +
                         "` is not finite; leave it out and count it");
      sum += one.value;
      n += 1;
    }
  }
  if (there.empty()) return no_estimate;
  const double mean = sum / n;
  if (n < 2) return {mean, not_measured, not_measured};
  double squares = 0;
  for (const auto* run : there)
    for (const ProbeNumber& one : *run) squares += (one.value - mean) * (one.value - mean);
  // As many probes as one run has; of a single probe in several runs only the runs are known.
  const double probes = n / static_cast<double>(there.size());
  double half =
      probes < 2 ? 0 : detail::t_quantile(probes - 1, 0.95) * std::sqrt(squares / (n - 1) / probes);
  if (there.size() > 1) {
    const NumberSums by = sum_numbers(there);
    const double runs_error = detail::cluster_error(by.sums.transpose(), by.n.transpose());
    const double categories_error = by.n.cols() > 1 ? detail::cluster_error(by.sums, by.n) : 0;
    const double error = std::hypot(runs_error, categories_error);
    if (error > 0)
      half = std::max(
          half, error * detail::two_way_quantile(runs_error * runs_error, by.n.rows(),
                                                 categories_error * categories_error, by.n.cols()));
  }
  return {mean, mean - half, mean + half};
}

}  // namespace seawall
