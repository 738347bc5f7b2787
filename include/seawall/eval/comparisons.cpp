#include "seawall/eval/comparisons.hpp"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/hypergeometric.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <numeric>
#include <set>

#include "seawall/core/error.hpp"
#include "seawall/eval/resampling.hpp"

namespace seawall {
namespace {

using Eigen::ArrayXd;
using Eigen::Index;
using Eigen::MatrixXd;

/// The runs of both arms, as many of one as of the other.
struct Pair {
  const Runs *a, *b;
  Index seeds;
  const std::vector<Outcome>& run_a(Index s) const { return at(*a, s); }
  const std::vector<Outcome>& run_b(Index s) const { return at(*b, s); }

 private:
  static const std::vector<Outcome>& at(const Runs& runs, Index s) {
    return runs[runs.size() == 1 ? 0 : static_cast<std::size_t>(s)];
  }
};

Pair pair_of(const ArmRuns& a, const ArmRuns& b) {
  const auto most = std::max(a.runs.size(), b.runs.size());
  for (const ArmRuns* arm : {&a, &b})
    if (arm->runs.size() != most && arm->runs.size() != 1)
      throw UsageError("comparison of " + a.name + " and " + b.name +
                       ": want the same seeds, got " + std::to_string(a.runs.size()) + " and " +
                       std::to_string(b.runs.size()) + " runs");
  if (a.runs.empty() || b.runs.empty() || a.runs.front().empty())
    throw UsageError("comparison of " + a.name + " and " + b.name + ": want runs, got none");
  return {&a.runs, &b.runs, static_cast<Index>(most)};
}

/// Differences b - a summed by seed and category; an invalid row at what makes the difference least
/// and most. Shapes: [seed, category].
struct DifferenceSums {
  MatrixXd n, judged, known, least, most;
};

DifferenceSums difference_sums(const Pair& pair, Measure measure) {
  Index categories = 0;
  const auto places = detail::category_places(pair.run_a(0), categories);
  const MatrixXd zero = MatrixXd::Zero(pair.seeds, categories);
  DifferenceSums s{zero, zero, zero, zero, zero};
  const double low = measure == Measure::score ? 1 : 0, high = measure == Measure::score ? 5 : 1;
  for (Index r = 0; r < pair.seeds; ++r) {
    const auto &a = pair.run_a(r), &b = pair.run_b(r);
    detail::check_same_probes(pair.run_a(0), a);
    detail::check_same_probes(a, b);
    for (std::size_t i = 0; i < a.size(); ++i) {
      const bool both = a[i].valid && b[i].valid;
      const double va = a[i].valid ? read(a[i], measure) : 0;
      const double vb = b[i].valid ? read(b[i], measure) : 0;
      s.n(r, places[i]) += 1;
      s.judged(r, places[i]) += both;
      s.known(r, places[i]) += both ? vb - va : 0;
      s.least(r, places[i]) += (b[i].valid ? vb : low) - (a[i].valid ? va : high);
      s.most(r, places[i]) += (b[i].valid ? vb : high) - (a[i].valid ? va : low);
    }
  }
  return s;
}

/// What a pair's seeds say. Shapes: differences [seed].
struct SeedFacts {
  ArrayXd differences;
  double mean = 0, squares = 0;  // of deviations from the mean
  double unit = 1;               // sum of p(1 - p) over the arms that have seeds
};

SeedFacts seed_facts(const Pair& pair, const DifferenceSums& sums, Measure measure) {
  SeedFacts f;
  const ArrayXd judged = sums.judged.rowwise().sum().array();
  f.differences = sums.known.rowwise().sum().array() / judged.max(1);
  f.mean = sums.known.sum() / std::max(1.0, sums.judged.sum());
  f.squares = (f.differences - f.differences.mean()).square().sum();
  if (measure == Measure::score) return f;
  f.unit = 0;
  for (const Runs* runs : {pair.a, pair.b}) {
    if (runs->size() == 1 && pair.seeds > 1) continue;  // one model: no spread between seeds
    double sum = 0, n = 0;
    for (const auto& run : *runs)
      for (const auto& o : run)
        if (o.valid) sum += read(o, measure), n += 1;
    const double per_run = n / static_cast<double>(runs->size());
    const double p = (sum / std::max(1.0, n) * per_run + 0.5) / (per_run + 1);
    f.unit += p * (1 - p);
  }
  return f;
}

/// Two-sided, from the shares of resamples on either side of zero.
double bootstrap_p(const ArrayXd& least, const ArrayXd& most) {
  const auto count = static_cast<double>(least.size()) + 1;
  const double below = static_cast<double>((least <= 1e-12).count()) + 1;
  const double above = static_cast<double>((most >= -1e-12).count()) + 1;
  return std::min(1.0, 2 * std::min(below, above) / count);
}

/// As paired_difference, of counts averaged over seeds.
Estimate newcombe_paired(double both, double only_a, double only_b, double neither) {
  const double n = both + only_a + only_b + neither;
  if (n <= 0) return {kNotMeasured, -1, 1};
  const Estimate a = wilson(both + only_a, n), b = wilson(both + only_b, n);
  const double rows = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither);
  double phi = 0;
  if (rows > 0) {
    const double numerator = both * neither - only_a * only_b;
    // A continuity correction for positive correlation.
    phi = (numerator > 0 ? std::max(0.0, numerator - n / 2) : numerator) / std::sqrt(rows);
  }
  const double d = b.value - a.value;
  const auto reach = [phi](double x, double y) {
    return std::sqrt(std::max(0.0, x * x - 2 * phi * x * y + y * y));
  };
  return {d, d - reach(b.value - b.lo, a.hi - a.value), d + reach(b.hi - b.value, a.value - a.lo)};
}

}  // namespace

PairedCounts pair_up(const std::vector<Outcome>& a, const std::vector<Outcome>& b,
                     Measure measure) {
  detail::check_same_probes(a, b);
  PairedCounts c;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!a[i].valid || !b[i].valid) {
      ++c.left_out;
      continue;
    }
    const bool in_a = read(a[i], measure) >= 1, in_b = read(b[i], measure) >= 1;
    ++(in_a ? in_b ? c.both : c.only_a : in_b ? c.only_b : c.neither);
  }
  return c;
}

Estimate paired_difference(const PairedCounts& c) {
  return newcombe_paired(static_cast<double>(c.both), static_cast<double>(c.only_a),
                         static_cast<double>(c.only_b), static_cast<double>(c.neither));
}

double mcnemar_exact(std::int64_t only_a, std::int64_t only_b) {
  const auto n = only_a + only_b;
  if (n == 0) return 1;
  const boost::math::binomial coin(static_cast<double>(n), 0.5);
  return std::min(1.0, 2 * boost::math::cdf(coin, static_cast<double>(std::min(only_a, only_b))));
}

double mcnemar_mid_p(std::int64_t only_a, std::int64_t only_b) {
  const auto n = only_a + only_b;
  if (n == 0) return 1;
  const boost::math::binomial coin(static_cast<double>(n), 0.5);
  const auto least = static_cast<double>(std::min(only_a, only_b));
  return std::min(1.0, 2 * boost::math::cdf(coin, least) - boost::math::pdf(coin, least));
}

std::vector<double> holm(const std::vector<double>& p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&p](std::size_t i, std::size_t j) { return p[i] < p[j]; });
  std::vector<double> out(p.size());
  double highest = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    highest = std::max(highest, std::min(1.0, p[order[k]] * static_cast<double>(p.size() - k)));
    out[order[k]] = highest;
  }
  return out;
}

TwoProportions two_proportions(std::int64_t first, std::int64_t n_first, std::int64_t second,
                               std::int64_t n_second) {
  if (n_first < 1 || n_second < 1 || first < 0 || second < 0 || first > n_first ||
      second > n_second)
    throw UsageError("two proportions: want counts within their n, got " + std::to_string(first) +
                     "/" + std::to_string(n_first) + " and " + std::to_string(second) + "/" +
                     std::to_string(n_second));
  const auto n1 = static_cast<double>(n_first), n2 = static_cast<double>(n_second);
  const Estimate a = wilson(static_cast<double>(first), n1),
                 b = wilson(static_cast<double>(second), n2);
  TwoProportions out;
  const double d = b.value - a.value;
  out.difference = {d, d - std::hypot(b.value - b.lo, a.hi - a.value),
                    d + std::hypot(b.hi - b.value, a.value - a.lo)};
  const double pooled = static_cast<double>(first + second) / (n1 + n2);
  const double error = std::sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2));
  out.z = error > 0 ? d / error : 0;
  out.p = 2 * boost::math::cdf(boost::math::complement(boost::math::normal(), std::abs(out.z)));

  // Fisher: all tables of these margins that are no likelier than this one.
  const auto successes = static_cast<std::uint64_t>(first + second);
  const boost::math::hypergeometric tables(successes, static_cast<std::uint64_t>(n_first),
                                           static_cast<std::uint64_t>(n_first + n_second));
  const double here = boost::math::pdf(tables, static_cast<std::uint64_t>(first));
  double sum = 0;
  for (auto k = std::max<std::int64_t>(0, first + second - n_second);
       k <= std::min(first + second, n_first); ++k) {
    const double one = boost::math::pdf(tables, static_cast<std::uint64_t>(k));
    if (one <= here * (1 + 1e-9)) sum += one;
  }
  out.fisher_p = std::min(1.0, sum);
  out.different = out.p < 0.05;
  return out;
}

TwoProportions published_difference(double first_percent, double second_percent, std::int64_t n) {
  const auto count = [n](double percent) {
    return static_cast<std::int64_t>(std::llround(percent / 100 * static_cast<double>(n)));
  };
  return two_proportions(count(first_percent), n, count(second_percent), n);
}

std::vector<Comparison> compare(const std::vector<ArmRuns>& family,
                                const std::vector<std::pair<std::size_t, std::size_t>>& pairs,
                                const CompareOptions& options) {
  std::vector<Comparison> out;
  std::vector<SeedFacts> facts;
  std::vector<Index> seeds;
  std::set<std::size_t> trained;
  double squares = 0, units = 0;  // pooled over the pairs
  for (const auto& [ia, ib] : pairs) {
    const ArmRuns &a = family.at(ia), &b = family.at(ib);
    const Pair pair = pair_of(a, b);
    const DifferenceSums sums = difference_sums(pair, options.measure);
    Comparison c{.a = a.name, .b = b.name};
    const detail::Resamples resamples(sums.n.rows(), sums.n.cols(), options.seed);
    const ArrayXd n = resamples.weigh(sums.n);
    const ArrayXd least = resamples.weigh(sums.least) / n, most = resamples.weigh(sums.most) / n;
    c.p_probes = bootstrap_p(least, most);
    facts.push_back(seed_facts(pair, sums, options.measure));
    seeds.push_back(pair.seeds);
    c.difference = {sums.judged.sum() > 0 ? facts.back().mean : kNotMeasured,
                    detail::percentile(least, 0.025), detail::percentile(most, 0.975)};
    if (options.measure == Measure::score) {
      c.p_pooled = c.p_probes;
    } else {
      for (Index s = 0; s < pair.seeds; ++s) {
        const PairedCounts one = pair_up(pair.run_a(s), pair.run_b(s), options.measure);
        c.mcnemar.push_back(mcnemar_mid_p(one.only_a, one.only_b));
        c.counts.both += one.both, c.counts.neither += one.neither;
        c.counts.only_a += one.only_a, c.counts.only_b += one.only_b;
        c.counts.left_out += one.left_out;
      }
      c.p_pooled = mcnemar_mid_p(c.counts.only_a, c.counts.only_b);
      // As a cell's interval is never narrower than one run's.
      const auto k = static_cast<double>(pair.seeds);
      const Estimate one_run = newcombe_paired(
          static_cast<double>(c.counts.both) / k, static_cast<double>(c.counts.only_a) / k,
          static_cast<double>(c.counts.only_b) / k, static_cast<double>(c.counts.neither) / k);
      c.difference.lo = std::min(c.difference.lo, one_run.lo);
      c.difference.hi = std::max(c.difference.hi, one_run.hi);
    }
    for (const std::size_t i : {ia, ib})
      if (family[i].runs.size() > 1) trained.insert(i);
    if (pair.seeds > 1) {
      squares += facts.back().squares;
      units += static_cast<double>(pair.seeds - 1) * facts.back().unit;
    }
    out.push_back(std::move(c));
  }

  std::vector<double> p;
  for (std::size_t i = 0; i < out.size(); ++i) {
    Comparison& c = out[i];
    c.p_seeds = c.p_probes;
    if (seeds[i] > 1) {
      const auto k = static_cast<double>(seeds[i]);
      // The pair's own variance where it is the larger: one wild pair does not hide among calm
      // ones.
      const double variance =
          std::max(units > 0 ? squares / units * facts[i].unit : 0, facts[i].squares / (k - 1));
      const double error = std::sqrt(variance / k);
      const double freedom = (k - 1) * std::max(1.0, static_cast<double>(trained.size()) - 1);
      const boost::math::students_t t(freedom);
      const double mean = facts[i].mean;
      if (error > 0)
        c.p_seeds = 2 * boost::math::cdf(boost::math::complement(t, std::abs(mean) / error));
      else
        c.p_seeds = mean == 0 ? 1 : 0;
      const double reach = error * boost::math::quantile(t, 0.975);
      c.difference.lo = std::min(c.difference.lo, mean - reach);
      c.difference.hi = std::max(c.difference.hi, mean + reach);
    }
    if (options.measure != Measure::score) {
      c.difference.lo = std::max(c.difference.lo, -1.0);
      c.difference.hi = std::min(c.difference.hi, 1.0);
    }
    c.p = std::max({c.p_probes, c.p_seeds, c.p_pooled});
    p.push_back(c.p);
  }
  const auto adjusted = holm(p);
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i].p_adjusted = adjusted[i];
    out[i].different = adjusted[i] < options.alpha;
  }
  return out;
}

std::vector<Comparison> compare_all(const std::vector<ArmRuns>& family,
                                    const CompareOptions& options) {
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  for (std::size_t i = 0; i < family.size(); ++i)
    for (std::size_t j = i + 1; j < family.size(); ++j) pairs.emplace_back(i, j);
  return compare(family, pairs, options);
}

}  // namespace seawall
