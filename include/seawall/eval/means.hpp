#pragma once
// The mean of numbers that have no greatest value, such as nats, with its interval.
#include <string>
#include <vector>

#include "seawall/core/interval.hpp"

namespace seawall {

/// A number of one probe in one run.
struct ProbeNumber {
  std::string category;
  double value = 0;
};

/// Mean over all runs with its 95 % interval, in closed form; no interval (NaN) if there is one
/// number in all, and no value if there is none.
///
/// One run: Student's t over the probes. Several runs: runs and categories are random effects as
/// in estimate_mean (cluster_error, two_way_quantile), and the interval is never narrower than that
/// of one run, as the same probes in every run are not more probes. Errors: UsageError for a number
/// that is not finite.
Estimate mean_of_numbers(const std::vector<std::vector<ProbeNumber>>& runs);

}  // namespace seawall
