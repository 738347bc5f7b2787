#include "seawall/eval/statistics.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <limits>
#include <map>

#include "seawall/core/error.hpp"
#include "seawall/core/rng.hpp"

namespace seawall {
namespace {

constexpr int kResamples = 4000;

/// Per run and category: probes, sum of scores, successes with invalid rows counted against and
/// for. [run, category]
struct Sums {
  Eigen::MatrixXd n, score_lo, score_hi, success_lo, success_hi;
};

Sums sum_by_category(const std::vector<std::vector<Outcome>>& runs) {
  std::map<std::string, Eigen::Index> column;
  for (const auto& outcome : runs.front()) column.try_emplace(outcome.category, 0);
  Eigen::Index next = 0;
  for (auto& [name, at] : column) at = next++;
  const auto rows = static_cast<Eigen::Index>(runs.size());
  const Eigen::MatrixXd zero = Eigen::MatrixXd::Zero(rows, next);
  Sums s{zero, zero, zero, zero, zero};
  for (Eigen::Index r = 0; r < rows; ++r) {
    for (const auto& o : runs[static_cast<std::size_t>(r)]) {
      const auto found = column.find(o.category);
      if (found == column.end())
        throw UsageError("statistics: run " + std::to_string(r) + " has the category `" +
                         o.category +
                         "` that the first run lacks; the runs of a cell need the same probes");
      const auto c = found->second;
      s.n(r, c) += 1;
      s.score_lo(r, c) += o.valid ? o.score : 1;
      s.score_hi(r, c) += o.valid ? o.score : 5;
      s.success_lo(r, c) += o.valid && o.score >= 5;
      s.success_hi(r, c) += !o.valid || o.score >= 5;
    }
  }
  return s;
}

double percentile(std::vector<double>& v, double q) {
  std::sort(v.begin(), v.end());
  const double at = q * static_cast<double>(v.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const auto high = std::min(low + 1, v.size() - 1);
  return v[low] + (v[high] - v[low]) * (at - static_cast<double>(low));
}

}  // namespace

Estimate wilson(double successes, double n, double confidence) {
  if (n <= 0) return {0, 0, 1};
  const boost::math::normal normal;
  const double z = boost::math::quantile(normal, 0.5 + confidence / 2);
  const double p = successes / n, z2 = z * z;
  const double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = z / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  // At the edges the exact bounds are 0 and 1; rounding must not cut them.
  return {p, successes == 0 ? 0 : std::max(0.0, middle - half),
          successes == n ? 1 : std::min(1.0, middle + half)};
}

std::vector<Outcome> outcomes(const EvaluationRecord& record, std::size_t judge) {
  std::vector<Outcome> out;
  out.reserve(record.results.size());
  for (const auto& r : record.results)
    out.push_back({r.category, r.verdicts.at(judge).score, r.verdicts.at(judge).valid});
  return out;
}

CellEstimate estimate_cell(const std::vector<std::vector<Outcome>>& runs, std::uint64_t seed) {
  if (runs.empty() || runs.front().empty())
    throw UsageError("statistics: a cell needs at least one run with probes");
  for (const auto& run : runs) {
    if (run.size() != runs.front().size())
      throw UsageError("statistics: the runs of a cell hold " +
                       std::to_string(runs.front().size()) + " and " + std::to_string(run.size()) +
                       " probes; they need the same");
  }
  const Sums s = sum_by_category(runs);
  CellEstimate cell;
  cell.seeds = static_cast<std::int64_t>(runs.size());
  cell.n = static_cast<std::int64_t>(runs.front().size());
  const double total = s.n.sum();
  cell.invalid = static_cast<std::int64_t>(s.success_hi.sum() - s.success_lo.sum());
  cell.score.value = s.score_lo.sum() / total;
  cell.rate.value = s.success_lo.sum() / total;

  Rng rng = Rng(seed).stream("bootstrap");
  const auto k = s.n.rows(), categories = s.n.cols();
  std::vector<double> score_lo, score_hi, rate_lo, rate_hi;
  for (int b = 0; b < kResamples; ++b) {
    Eigen::VectorXd seed_weight = Eigen::VectorXd::Zero(k),
                    category_weight = Eigen::VectorXd::Zero(categories);
    for (Eigen::Index i = 0; i < k; ++i)
      seed_weight[static_cast<Eigen::Index>(rng.below(static_cast<std::uint64_t>(k)))] += 1;
    for (Eigen::Index i = 0; i < categories; ++i)
      category_weight[static_cast<Eigen::Index>(
          rng.below(static_cast<std::uint64_t>(categories)))] += 1;
    const auto weigh = [&](const Eigen::MatrixXd& m) {
      return seed_weight.dot(m * category_weight);
    };
    const double n = weigh(s.n);
    score_lo.push_back(weigh(s.score_lo) / n);
    score_hi.push_back(weigh(s.score_hi) / n);
    rate_lo.push_back(weigh(s.success_lo) / n);
    rate_hi.push_back(weigh(s.success_hi) / n);
  }
  // One run's worth of probes: the same prompts in every seed are not more prompts.
  const double n = static_cast<double>(cell.n), scale = n / total;
  const Estimate low = wilson(s.success_lo.sum() * scale, n),
                 high = wilson(s.success_hi.sum() * scale, n);
  cell.rate.lo = std::min(percentile(rate_lo, 0.025), low.lo);
  cell.rate.hi = std::max(percentile(rate_hi, 0.975), high.hi);
  cell.score.lo = percentile(score_lo, 0.025);
  cell.score.hi = percentile(score_hi, 0.975);
  cell.utility = std::numeric_limits<double>::quiet_NaN();
  return cell;
}

}  // namespace seawall
