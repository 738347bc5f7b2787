#pragma once
// Ways to an interval for a rate over a few seeds, as experiments/interval_coverage compares them.
// The one that the program prints is estimate_mean; the others are here alone.
#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "seawall/core/rng.hpp"
#include "seawall/eval/clusters.hpp"
#include "seawall/eval/statistics.hpp"

namespace seawall::experiments {

/// Successes of a cell. Shapes: successes [seed, category], each of `probes` probes.
struct SeedTable {
  Eigen::MatrixXd successes;
  double probes = 30;

  Eigen::MatrixXd n() const {
    return Eigen::MatrixXd::Constant(successes.rows(), successes.cols(), probes);
  }
  double one_run() const { return probes * static_cast<double>(successes.cols()); }
  double rate() const {
    return successes.sum() / one_run() / static_cast<double>(successes.rows());
  }
};

namespace detail_coverage {

/// Every method but bare resampling is at least as wide as one run's interval.
inline Estimate with_one_run(const SeedTable& table, Estimate e) {
  const Estimate one = wilson(table.rate() * table.one_run(), table.one_run());
  return {e.value, std::max(0.0, std::min(e.lo, one.lo)), std::min(1.0, std::max(e.hi, one.hi))};
}
inline double seed_error(const SeedTable& table) {
  return detail::cluster_error(table.successes.transpose(), table.n().transpose());
}
inline double seed_quantile(const SeedTable& table) {
  return detail::t_quantile(static_cast<double>(table.successes.rows() - 1), 0.95);
}
inline Estimate linear(double rate, double reach) { return {rate, rate - reach, rate + reach}; }

/// How often each row and column is drawn. Shapes: [resample, row], [resample, column].
struct Draws {
  Eigen::MatrixXd rows, columns;
  Draws(Eigen::Index n_rows, Eigen::Index n_columns, int count, Rng& rng)
      : rows(Eigen::MatrixXd::Zero(count, n_rows)),
        columns(Eigen::MatrixXd::Zero(count, n_columns)) {
    const auto fill = [&rng](Eigen::MatrixXd& m) {
      for (Eigen::Index b = 0; b < m.rows(); ++b)
        for (Eigen::Index i = 0; i < m.cols(); ++i)
          m(b, static_cast<Eigen::Index>(rng.below(static_cast<std::uint64_t>(m.cols())))) += 1;
    };
    fill(rows), fill(columns);
  }
};

inline double percentile(std::vector<double>& v, double q) {
  std::sort(v.begin(), v.end());
  const double at = q * static_cast<double>(v.size() - 1);
  const auto low = static_cast<std::size_t>(at), high = std::min(low + 1, v.size() - 1);
  return v[low] + (v[high] - v[low]) * (at - static_cast<double>(low));
}

/// Mean and the two standard errors of a table whose rows and columns count so often.
struct Weighed {
  double mean = 0, error = 0;  // error: both ways of clustering, added
  Weighed(const Eigen::MatrixXd& rates, const Eigen::VectorXd& rows,
          const Eigen::VectorXd& columns) {
    const double r = rows.sum(), c = columns.sum();
    const Eigen::VectorXd by_row = rates * columns / c, by_column = rates.transpose() * rows / r;
    mean = by_row.dot(rows) / r;
    const double rows_off = (by_row.array() - mean).square().matrix().dot(rows),
                 columns_off = (by_column.array() - mean).square().matrix().dot(columns);
    error = std::sqrt(rows_off / (r * (r - 1)) + columns_off / (c * (c - 1)));
  }
};

}  // namespace detail_coverage

/// What was printed before: percentiles over resampled seeds and categories.
class Resampled {
 public:
  Resampled(Eigen::Index seeds, Eigen::Index categories, Rng rng)
      : draws_(seeds, categories, 1000, rng) {}
  Estimate operator()(const SeedTable& t) const {
    const Eigen::MatrixXd rates = t.successes / t.probes;
    const Eigen::ArrayXd means =
        (draws_.rows * rates).cwiseProduct(draws_.columns).rowwise().sum() /
        static_cast<double>(rates.size());
    std::vector<double> v(means.data(), means.data() + means.size());
    const double lo = detail_coverage::percentile(v, 0.025),
                 hi = detail_coverage::percentile(v, 0.975);
    return detail_coverage::with_one_run(t, {t.rate(), lo, hi});
  }

 private:
  detail_coverage::Draws draws_;
};

/// Percentiles of t over resampled seeds and categories. (Over three seeds alone 3 of the 27
/// resamples have no spread, and no percentile is finite.)
class BootstrapT {
 public:
  BootstrapT(Eigen::Index seeds, Eigen::Index categories, Rng rng)
      : draws_(seeds, categories, 400, rng) {}
  Estimate operator()(const SeedTable& t) const {
    const Eigen::MatrixXd rates = t.successes / t.probes;
    const detail_coverage::Weighed all(rates, Eigen::VectorXd::Ones(rates.rows()),
                                       Eigen::VectorXd::Ones(rates.cols()));
    std::vector<double> ts;
    for (Eigen::Index b = 0; b < draws_.rows.rows(); ++b) {
      const detail_coverage::Weighed one(rates, draws_.rows.row(b), draws_.columns.row(b));
      const double off = one.mean - all.mean;
      ts.push_back(one.error > 0 ? off / one.error : off == 0 ? 0 : std::copysign(1e9, off));
    }
    const double hi = detail_coverage::percentile(ts, 0.975),
                 lo = detail_coverage::percentile(ts, 0.025);
    return detail_coverage::with_one_run(
        t, {t.rate(), all.mean - hi * all.error, all.mean - lo * all.error});
  }

 private:
  detail_coverage::Draws draws_;
};

inline Estimate t_over_seeds(const SeedTable& t) {
  using namespace detail_coverage;
  return with_one_run(t, linear(t.rate(), seed_quantile(t) * seed_error(t)));
}

/// The same on the scale of log(p / (1 - p)).
inline Estimate t_over_seeds_logit(const SeedTable& t) {
  using namespace detail_coverage;
  const double edge = 0.5 / (t.one_run() + 1), p = std::clamp(t.rate(), edge, 1 - edge);
  const double middle = std::log(p / (1 - p)),
               reach = seed_quantile(t) * seed_error(t) / (p * (1 - p));
  const auto back = [](double x) { return 1 / (1 + std::exp(-x)); };
  return with_one_run(t, {t.rate(), back(middle - reach), back(middle + reach)});
}

/// The same in Wilson's form.
inline Estimate t_over_seeds_wilson(const SeedTable& t) {
  using namespace detail_coverage;
  return with_one_run(t, wilson_of_error(t.rate(), seed_error(t), seed_quantile(t)));
}

/// Random effects of seeds and of categories, crossed: the two variances added, t with
/// Satterthwaite's degrees of freedom, in Wilson's form.
inline Estimate hierarchical(const SeedTable& t) {
  using namespace detail_coverage;
  const double seeds = std::pow(seed_error(t), 2),
               categories = std::pow(detail::cluster_error(t.successes, t.n()), 2);
  const double parts = seeds * seeds / static_cast<double>(t.successes.rows() - 1) +
                       categories * categories / static_cast<double>(t.successes.cols() - 1);
  if (parts == 0) return with_one_run(t, {t.rate(), t.rate(), t.rate()});
  const double variance = seeds + categories;
  return with_one_run(t, wilson_of_error(t.rate(), std::sqrt(variance),
                                         detail::t_quantile(variance * variance / parts, 0.95)));
}

/// Profile likelihood of the mean of a beta-binomial, each seed one count of all its probes.
class BetaBinomial {
 public:
  explicit BetaBinomial(int probes) {
    for (int m = 1; m < mean_steps; ++m) {
      const double mean = static_cast<double>(m) / mean_steps;
      for (int c = 0; c < sizes; ++c) {
        // a + b from 0.2 (seeds all or nothing) to 2000 (nearly binomial)
        const double size = 0.2 * std::pow(10.0, 4.0 * c / (sizes - 1)), a = mean * size,
                     b = size - a;
        Eigen::ArrayXd row(probes + 1);
        for (int k = 0; k <= probes; ++k)
          row[k] = std::lgamma(k + a) + std::lgamma(probes - k + b) - std::lgamma(probes + size) -
                   std::lgamma(a) - std::lgamma(b) + std::lgamma(size);
        table_.push_back(std::move(row));
      }
    }
  }
  Estimate operator()(const SeedTable& t) const {
    const Eigen::VectorXd counts = t.successes.rowwise().sum();
    std::vector<double> profile;
    for (int m = 1; m < mean_steps; ++m) {
      double best = -1e300;
      for (int c = 0; c < sizes; ++c) {
        const Eigen::ArrayXd& row =
            table_[static_cast<std::size_t>(m - 1) * sizes + static_cast<std::size_t>(c)];
        double sum = 0;
        for (const double k : counts) sum += row[static_cast<Eigen::Index>(std::lround(k))];
        best = std::max(best, sum);
      }
      profile.push_back(best);
    }
    const double enough = *std::max_element(profile.begin(), profile.end()) - 3.841458821 / 2;
    int lo = mean_steps, hi = 0;
    for (int m = 1; m < mean_steps; ++m)
      if (profile[static_cast<std::size_t>(m - 1)] >= enough) lo = std::min(lo, m), hi = m;
    return detail_coverage::with_one_run(
        t, {t.rate(), (lo - 0.5) / mean_steps, (hi + 0.5) / mean_steps});
  }

 private:
  static constexpr int mean_steps = 250, sizes = 24;
  std::vector<Eigen::ArrayXd> table_;  // [mean, size] -> log-likelihood of each count
};

}  // namespace seawall::experiments
