#pragma once
// A value with its interval, and the interval of a share.
#include <limits>
#include <string>

namespace seawall {

inline constexpr double not_measured = std::numeric_limits<double>::quiet_NaN();

/// A value with its 95 % interval. All NaN if nothing was measured; the value alone is NaN if no
/// row could be judged, and then the interval is all that is possible.
struct Estimate {
  double value = 0, lo = 0, hi = 0;
  bool measured() const { return value == value; }
};
inline constexpr Estimate no_estimate{not_measured, not_measured, not_measured};

/// Wilson score interval of k successes in n. Units: shares in 0..1. Source: Wilson 1927; n = 0
/// gives [0, 1].
Estimate wilson(double successes, double n, double confidence = 0.95);
/// Wilson of what was judged, widened to both readings of `invalid` rows among `n`: none of them a
/// success, all of them. The value is over the judged rows, NaN where there is none.
Estimate wilson_with_invalid(double successes, double n, double invalid);

/// A share as percent with its interval, "41.3 [29.4, 52.6]"; "-" without a value.
std::string percent_text(const Estimate& share);

}  // namespace seawall
