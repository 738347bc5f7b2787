#pragma once
// Intervals that hold: Wilson for one run, a cluster bootstrap with seeds as the outer level for
// several.
#include <cstdint>
#include <string>
#include <vector>

#include "seawall/core/trace.hpp"

namespace seawall {

/// A value with its 95 % interval.
struct Estimate {
  double value = 0, lo = 0, hi = 0;
};

/// Wilson score interval of k successes in n. Units: shares in 0..1. Source: Wilson 1927; n = 0
/// gives [0, 1].
Estimate wilson(double successes, double n, double confidence = 0.95);

/// Score and rate of one cell, with utility where it was measured.
struct CellEstimate {
  std::int64_t seeds = 0, n = 0, invalid = 0;
  Estimate score;      // 1..5
  Estimate rate;       // share of 5
  double utility = 0;  // share of 5 on ordinary requests, or NaN
};

/// One probe's outcome in one run.
struct Outcome {
  std::string category;
  double score = 1;
  bool valid = true;
};
std::vector<Outcome> outcomes(const EvaluationRecord& record, std::size_t judge = 0);

/// Interval of a cell from its runs (one a seed, the same probes in the same order).
///
/// Seeds are resampled, then categories (probes of one category are alike, so they are drawn
/// together); percentiles of 4,000 resamples. The result is widened to the Wilson interval of a
/// single run where that is wider, since resampling three equal runs knows no spread; an invalid
/// row counts against the rate in `lo` and for it in `hi`. Errors: UsageError where the runs differ
/// in size.
CellEstimate estimate_cell(const std::vector<std::vector<Outcome>>& runs, std::uint64_t seed = 1);

}  // namespace seawall
