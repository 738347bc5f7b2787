#include "seawall/eval/resampling.hpp"

#include <algorithm>
#include <map>

#include "seawall/core/error.hpp"
#include "seawall/core/rng.hpp"

namespace seawall::detail {

void check_same_probes(const std::vector<Outcome>& a, const std::vector<Outcome>& b) {
  if (a.size() != b.size())
    throw UsageError("statistics: the runs hold " + std::to_string(a.size()) + " and " +
                     std::to_string(b.size()) + " probes; they need the same");
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].category == b[i].category && a[i].probe == b[i].probe) continue;
    throw UsageError("statistics: place " + std::to_string(i) + " is the probe `" + a[i].probe +
                     "` of category `" + a[i].category + "` in one run and `" + b[i].probe +
                     "` of `" + b[i].category + "` in another; the runs need the same probes");
  }
}

std::vector<Eigen::Index> category_places(const std::vector<Outcome>& run, Eigen::Index& count) {
  std::map<std::string, Eigen::Index> places;
  for (const auto& outcome : run) places.try_emplace(outcome.category, 0);
  count = 0;
  for (auto& [name, place] : places) place = count++;
  std::vector<Eigen::Index> out;
  out.reserve(run.size());
  for (const auto& outcome : run) out.push_back(places.at(outcome.category));
  return out;
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
      const double value = o.valid ? read(o, measure) : 0;
      s.n(row, places[i]) += 1;
      s.judged(row, places[i]) += o.valid;
      s.known(row, places[i]) += value;
      s.least(row, places[i]) += o.valid ? value : least;
      s.most(row, places[i]) += o.valid ? value : most;
    }
  }
  return s;
}

Resamples::Resamples(Eigen::Index n_runs, Eigen::Index n_categories, std::uint64_t seed, int count)
    : runs(Eigen::MatrixXd::Zero(n_runs, count)),
      categories(Eigen::MatrixXd::Zero(n_categories, count)) {
  Rng rng = Rng(seed).stream("bootstrap");
  const auto draw = [&rng](Eigen::MatrixXd& weights, Eigen::Index column) {
    for (Eigen::Index i = 0; i < weights.rows(); ++i)
      weights(static_cast<Eigen::Index>(rng.below(static_cast<std::uint64_t>(weights.rows()))),
              column) += 1;
  };
  for (Eigen::Index b = 0; b < count; ++b) {
    draw(runs, b);
    draw(categories, b);
  }
}

Eigen::ArrayXd Resamples::weigh(const Eigen::MatrixXd& sums) const {
  // [run, category] x [category, resample] -> [run, resample], then by the runs' weights
  return (sums * categories).cwiseProduct(runs).colwise().sum().transpose().array();
}

double percentile(std::vector<double>& v, double q) {
  if (v.empty()) return kNotMeasured;
  std::sort(v.begin(), v.end());
  const double at = q * static_cast<double>(v.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const auto high = std::min(low + 1, v.size() - 1);
  return v[low] + (v[high] - v[low]) * (at - static_cast<double>(low));
}

double percentile(const Eigen::ArrayXd& v, double q) {
  std::vector<double> copy(v.data(), v.data() + v.size());
  return percentile(copy, q);
}

}  // namespace seawall::detail
