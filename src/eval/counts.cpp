// What counts alone can say: McNemar, Newcombe, Holm, Fisher.
#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/hypergeometric.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/tools/roots.hpp>
#include <cmath>
#include <numeric>

#include "seawall/core/error.hpp"
#include "seawall/eval/comparisons.hpp"

namespace seawall {

Estimate paired_difference(const PairedCounts& c, double confidence, double runs) {
  const double both = static_cast<double>(c.both) / runs,
               only_a = static_cast<double>(c.only_a) / runs,
               only_b = static_cast<double>(c.only_b) / runs,
               neither = static_cast<double>(c.neither) / runs;
  const double n = both + only_a + only_b + neither;
  if (n <= 0) return {not_measured, -1, 1};
  const Estimate a = wilson(both + only_a, n, confidence), b = wilson(both + only_b, n, confidence);
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

Estimate discordant_share(std::int64_t only_a, std::int64_t only_b, double confidence) {
  const auto n = static_cast<double>(only_a + only_b);
  if (n == 0) return {not_measured, 0, 1};
  // The share at which so many successes, or more, have half the level as their mid-p.
  const auto lower = [n, confidence](double successes) {
    if (successes == 0) return 0.0;
    const auto excess = [&](double share) {
      const boost::math::binomial b(n, share);
      return boost::math::cdf(boost::math::complement(b, successes)) +
             boost::math::pdf(b, successes) / 2 - (1 - confidence) / 2;
    };
    std::uintmax_t most = 200;
    return boost::math::tools::bisect(excess, 0.0, 1.0, boost::math::tools::eps_tolerance<double>(),
                                      most)
        .first;
  };
  const auto b = static_cast<double>(only_b);
  return {b / n, lower(b), 1 - lower(n - b)};
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

}  // namespace seawall
