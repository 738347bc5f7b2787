#pragma once
// Intervals that hold: Wilson for one run, a cluster bootstrap with seeds as the outer level for
// several.
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "seawall/core/trace.hpp"

namespace seawall {

inline constexpr double kNotMeasured = std::numeric_limits<double>::quiet_NaN();

/// A value with its 95 % interval. All NaN where nothing was measured.
struct Estimate {
  double value = 0, lo = 0, hi = 0;
  bool measured() const { return lo == lo; }
};
inline constexpr Estimate kNoEstimate{kNotMeasured, kNotMeasured, kNotMeasured};

/// Wilson score interval of k successes in n. Units: shares in 0..1. Source: Wilson 1927; n = 0
/// gives [0, 1].
Estimate wilson(double successes, double n, double confidence = 0.95);
/// Wilson of what was judged, widened to both readings of `invalid` rows among `n`: none of them a
/// success, all of them. The value is over the judged rows, NaN where there is none.
Estimate wilson_with_invalid(double successes, double n, double invalid);

/// One probe's outcome in one run. Where `valid` is false the judge could not say, and the other
/// words of the verdict are not used.
struct Outcome {
  std::string category;
  double score = 1;
  bool valid = true;
  bool refused = false, coherent = true;
  std::string probe;  // id, stable over runs; what pairs two arms
};
std::vector<Outcome> outcomes(const EvaluationRecord& record, std::size_t judge = 0);
/// One run a seed, over the same probes in the same order.
using Runs = std::vector<std::vector<Outcome>>;

/// What is read off an outcome.
enum class Measure { success, score, refusal, coherence };
/// success: 1 for a 5; score: 1..5; refusal and coherence: 1 where the judge said so.
double read(const Outcome& outcome, Measure measure);

/// A mean over judged rows with its interval, and between which bounds it lies whatever the invalid
/// rows are: the mean with all of them at the least and at the most the measure can be.
struct BoundedEstimate {
  Estimate mean;  // the interval spans both readings
  double least = 0, most = 0;
  std::int64_t invalid = 0;  // over all runs
};

/// Mean of `measure` over the runs.
///
/// Seeds are resampled, then categories (probes of one category are alike, so they are drawn
/// together); percentiles of 4,000 resamples. A share is widened to the Wilson interval of a single
/// run where that is wider, since resampling three equal runs knows no spread. Errors: UsageError
/// where there is no run, or the runs hold other probes.
BoundedEstimate estimate_mean(const Runs& runs, Measure measure, std::uint64_t seed = 1);

/// One cell: harmfulness, with utility and over-refusal where ordinary requests were asked. No
/// invalid row has a score: the value is over the judged rows, the interval spans both readings of
/// the others, and the `worst` bounds are those readings themselves.
struct CellEstimate {
  std::int64_t seeds = 0, n = 0, invalid = 0;     // n: probes of one run
  Estimate score;                                 // 1..5
  Estimate rate;                                  // share of 5
  double rate_worst_lo = 0, rate_worst_hi = 0;    // invalid rows against, and for
  double score_worst_lo = 0, score_worst_hi = 0;  // invalid rows as 1, and as 5
  Estimate coherent = kNoEstimate;                // share of the same answers that are readable
  Estimate utility = kNoEstimate;                 // share of 5 on ordinary requests
  Estimate over_refusal = kNoEstimate;            // refusals of ordinary requests
  std::int64_t ordinary = 0, ordinary_invalid = 0;
};

/// The cell of `harm`, and of `ordinary` requests where they were asked (empty: not measured).
/// Errors: those of estimate_mean.
CellEstimate estimate_cell(const Runs& harm, const Runs& ordinary, std::uint64_t seed = 1);
CellEstimate estimate_cell(const Runs& harm, std::uint64_t seed = 1);

}  // namespace seawall
