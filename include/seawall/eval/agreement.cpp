#include "seawall/eval/agreement.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "seawall/core/error.hpp"
#include "seawall/eval/resampling.hpp"

namespace seawall {
namespace {

constexpr int kResamples = 1000;
using Ratings = std::vector<double>;  // of one answer, by judge; NaN where it could not say

double kappa_of(const Eigen::MatrixXd& counts, KappaWeights weights) {
  const double n = counts.sum();
  if (n <= 0) return kNotMeasured;
  const Eigen::VectorXd rows = counts.rowwise().sum(), columns = counts.colwise().sum();
  const auto k = counts.rows();
  double observed = 0, expected = 0;  // disagreement
  for (Eigen::Index i = 0; i < k; ++i) {
    for (Eigen::Index j = 0; j < k; ++j) {
      const double apart = std::abs(static_cast<double>(i - j));
      const double w = weights == KappaWeights::none     ? (i != j)
                       : weights == KappaWeights::linear ? apart
                                                         : apart * apart;
      observed += w * counts(i, j) / n;
      expected += w * rows[i] * columns[j] / (n * n);
    }
  }
  return expected > 0 ? 1 - observed / expected : kNotMeasured;
}

/// What alpha with squared differences needs of some units; adds up over units. On values 0 and 1
/// it is the nominal alpha.
struct AlphaSums {
  double n = 0, sum = 0, squares = 0, within = 0;
  void add(const Ratings& unit) {
    double m = 0, s = 0, q = 0;
    for (const double x : unit)
      if (!std::isnan(x)) m += 1, s += x, q += x * x;
    if (m < 2) return;
    n += m, sum += s, squares += q;
    within += 2 * (m * q - s * s) / (m - 1);
  }
  double alpha() const {
    const double expected = 2 * (n * squares - sum * sum) / (n - 1);  // x n
    return n > 1 && expected > 1e-12 ? 1 - within / expected : kNotMeasured;
  }
};

/// All that the figures are computed from, by cluster: what is resampled are clusters.
struct Cluster {
  AlphaSums success, score;
  std::vector<Eigen::Matrix2d> success_tables;  // [pair]
  std::vector<Eigen::Matrix<double, 5, 5>> score_tables;
};

/// The value over all clusters, and percentiles over resamples of them.
template <class F>
Estimate resampled(std::size_t clusters, std::uint64_t seed, const F& figure) {
  const auto count = static_cast<Eigen::Index>(clusters);
  const Eigen::VectorXd once = Eigen::VectorXd::Ones(count);
  Estimate out{figure(once), kNotMeasured, kNotMeasured};
  const detail::Resamples resamples(1, count, seed, kResamples);
  std::vector<double> values;
  for (int b = 0; b < kResamples; ++b) {
    const double value = figure(resamples.categories.col(b));
    if (!std::isnan(value)) values.push_back(value);
  }
  if (values.size() * 2 < kResamples) return out;
  out.lo = detail::percentile(values, 0.025);
  out.hi = detail::percentile(values, 0.975);
  return out;
}

Eigen::Index place_of(double score) {
  return static_cast<Eigen::Index>(std::clamp(std::lround(score), 1L, 5L)) - 1;
}

}  // namespace

double cohen_kappa(const ConfusionTable& counts, KappaWeights weights) {
  const auto k = static_cast<Eigen::Index>(counts.size());
  Eigen::MatrixXd table(k, k);
  for (Eigen::Index i = 0; i < k; ++i) {
    const auto& row = counts[static_cast<std::size_t>(i)];
    if (static_cast<Eigen::Index>(row.size()) != k)
      throw UsageError("kappa: want a square table, got " + std::to_string(row.size()) +
                       " columns in one of " + std::to_string(k) + " rows");
    for (Eigen::Index j = 0; j < k; ++j) table(i, j) = row[static_cast<std::size_t>(j)];
  }
  return kappa_of(table, weights);
}

double krippendorff_alpha(const std::vector<std::vector<double>>& ratings, AlphaMetric metric) {
  std::size_t units = 0;
  for (const auto& judge : ratings) units = std::max(units, judge.size());
  AlphaSums interval;
  double n = 0, within = 0;
  std::map<double, double> totals;
  for (std::size_t u = 0; u < units; ++u) {
    Ratings unit;
    std::map<double, double> counts;
    for (const auto& judge : ratings) {
      if (u >= judge.size() || std::isnan(judge[u])) continue;
      unit.push_back(judge[u]);
      counts[judge[u]] += 1;
    }
    interval.add(unit);
    const auto m = static_cast<double>(unit.size());
    if (m < 2) continue;
    n += m;
    for (const auto& [value, count] : counts) {
      totals[value] += count;
      within += count * (m - count) / (m - 1);
    }
  }
  if (metric == AlphaMetric::interval) return interval.alpha();
  double expected = 0;
  for (const auto& [value, count] : totals) expected += count * (n - count) / (n - 1);
  return n > 1 && expected > 0 ? 1 - within / expected : kNotMeasured;
}

Agreement agreement(const std::vector<const EvaluationRecord*>& evaluations, std::uint64_t seed) {
  if (evaluations.empty()) throw UsageError("agreement: want an evaluation, got none");
  Agreement out;
  out.judges = evaluations.front()->judges;
  const std::size_t judges = out.judges.size();
  out.invalid.assign(judges, 0);
  for (std::size_t i = 0; i < judges; ++i)
    for (std::size_t j = i + 1; j < judges; ++j)
      out.pairs.push_back({.a = out.judges[i], .b = out.judges[j]});

  std::map<std::string, std::size_t> places;  // of a category
  for (const auto* e : evaluations)
    for (const auto& r : e->results) places.try_emplace(r.category, places.size());
  const bool alone = places.size() < 2;  // no categories: every answer stands alone
  std::vector<Cluster> clusters;
  const auto cluster_of = [&](const ProbeResult& r) -> Cluster& {
    const std::size_t place = alone ? clusters.size() : places.at(r.category);
    while (clusters.size() <= place)
      clusters.push_back({{},
                          {},
                          std::vector<Eigen::Matrix2d>(out.pairs.size(), Eigen::Matrix2d::Zero()),
                          std::vector<Eigen::Matrix<double, 5, 5>>(
                              out.pairs.size(), Eigen::Matrix<double, 5, 5>::Zero())});
    return clusters[place];
  };
  for (const auto* e : evaluations) {
    if (e->judges != out.judges)
      throw UsageError("agreement: want evaluations by the same judges, got " +
                       std::to_string(e->judges.size()) + " others in step " +
                       std::to_string(e->step));
    for (const auto& r : e->results) {
      ++out.units;
      Cluster& cluster = cluster_of(r);
      Ratings score, success;
      for (std::size_t j = 0; j < judges; ++j) {
        const Verdict& v = r.verdicts.at(j);
        out.invalid[j] += !v.valid;
        score.push_back(v.valid ? v.score : kNotMeasured);
        success.push_back(v.valid ? static_cast<double>(v.score >= 5) : kNotMeasured);
      }
      cluster.score.add(score);
      cluster.success.add(success);
      std::size_t p = 0;
      for (std::size_t i = 0; i < judges; ++i) {
        for (std::size_t j = i + 1; j < judges; ++j, ++p) {
          JudgePair& pair = out.pairs[p];
          ++pair.n;
          if (std::isnan(score[i]) || std::isnan(score[j])) {
            ++pair.invalid;
            continue;
          }
          const bool a = success[i] > 0, b = success[j] > 0;
          ++(a ? b ? pair.both : pair.only_a : b ? pair.only_b : pair.neither);
          const auto x = place_of(score[i]), y = place_of(score[j]);
          ++pair.scores[static_cast<std::size_t>(x)][static_cast<std::size_t>(y)];
          cluster.success_tables[p](a, b) += 1;
          cluster.score_tables[p](x, y) += 1;
        }
      }
    }
  }

  if (clusters.empty()) throw UsageError("agreement: want answers, got none");
  const auto alpha = [&](AlphaSums Cluster::*sums) {
    return resampled(clusters.size(), seed, [&](const Eigen::VectorXd& weights) {
      AlphaSums all;
      for (std::size_t c = 0; c < clusters.size(); ++c) {
        const double w = weights[static_cast<Eigen::Index>(c)];
        const AlphaSums& one = clusters[c].*sums;
        all.n += w * one.n, all.sum += w * one.sum;
        all.squares += w * one.squares, all.within += w * one.within;
      }
      return all.alpha();
    });
  };
  out.alpha_success = alpha(&Cluster::success);
  out.alpha_score = alpha(&Cluster::score);
  for (std::size_t p = 0; p < out.pairs.size(); ++p) {
    JudgePair& pair = out.pairs[p];
    const auto judged = static_cast<double>(pair.n - pair.invalid);
    pair.agreement = wilson(static_cast<double>(pair.both + pair.neither), judged);
    const auto kappa = [&](const auto& table_of, KappaWeights weighting) {
      return resampled(clusters.size(), seed, [&](const Eigen::VectorXd& weights) {
        Eigen::MatrixXd table = 0 * table_of(clusters.front());
        for (std::size_t c = 0; c < clusters.size(); ++c)
          table += weights[static_cast<Eigen::Index>(c)] * table_of(clusters[c]);
        return kappa_of(table, weighting);
      });
    };
    pair.kappa = kappa([p](const Cluster& c) { return Eigen::MatrixXd(c.success_tables[p]); },
                       KappaWeights::none);
    pair.kappa_weighted =
        kappa([p](const Cluster& c) { return Eigen::MatrixXd(c.score_tables[p]); },
              KappaWeights::quadratic);
  }
  return out;
}

}  // namespace seawall
