#include "seawall/core/interval.hpp"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <cstdio>

namespace seawall {

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

Estimate wilson_with_invalid(double successes, double n, double invalid) {
  const double judged = n - invalid;
  return {judged > 0 ? successes / judged : not_measured, wilson(successes, n).lo,
          wilson(successes + invalid, n).hi};
}

std::string percent_text(const Estimate& share) {
  if (!share.measured()) return "-";
  char text[64];
  std::snprintf(text, sizeof text, "%.1f [%.1f, %.1f]", 100 * share.value, 100 * share.lo,
                100 * share.hi);
  return text;
}

}  // namespace seawall
