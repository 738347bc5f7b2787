#pragma once
// Intervals of a cell: Wilson's for one run; for several, what runs and categories leave open.
// docs/statistics.md says which interval is printed where.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "seawall/core/interval.hpp"
#include "seawall/core/trace.hpp"

namespace seawall {

/// One probe's outcome in one run. Where `valid` is false the judge could not say, and the other
/// words of the verdict are not used.
struct Outcome {
  std::string category;
  double score = 1;
  bool valid = true;
  std::optional<bool> refused{};  // nullopt: the judge does not say
  bool coherent = true;
  std::string probe;        // id, stable over runs; what pairs two arms
  std::int64_t sample = 0;  // number of the answer to it
};
std::vector<Outcome> outcomes(const EvaluationRecord& record, std::size_t judge = 0);
/// One run per seed, over the same probes in the same order; the answers to a probe follow each
/// other.
using Runs = std::vector<std::vector<Outcome>>;

/// What is read off an outcome.
enum class Measure { success, score, refusal, coherence };
/// success: 1 for a 5; score: 1..5; refusal and coherence: 1 if the judge said so. Asked of
/// outcomes that are known.
double read(const Outcome& outcome, Measure measure);
/// True if the judge said it: it could judge, and for `refusal` it says whether answers refuse.
bool known(const Outcome& outcome, Measure measure);

/// A mean over judged rows with its interval, and between which bounds it is whatever the invalid
/// rows are: the mean with all of them at the least and at the most the measure can be.
struct BoundedEstimate {
  Estimate mean;  // the interval spans both readings
  double least = 0, most = 0;
  std::int64_t invalid = 0;  // over all runs
};

/// Wilson's interval of a mean in 0..1 whose standard error is known: with as many probes as the
/// error is worth, mean (1 - mean) / error^2, and the quantile of t. An error of 0 gives the mean.
/// Source: Korn and Graubard 1998 (effective sample size), Wilson 1927.
Estimate wilson_of_error(double mean, double error, double quantile);

/// Mean of `measure` over the runs, with its 95 % interval, in closed form.
///
/// One run: Wilson's interval over its probes; several answers to a probe are no more probes, so
/// the interval is that of one answer each with their mean. Several runs: runs and categories are
/// random effects, crossed, so the squares of the mean's two standard errors (cluster_error) are
/// added; t as two_way_quantile says; in Wilson's form, and never narrower than the interval of one
/// run, as the same probes in every run are not more probes. A score is put on 0..1 for this and
/// back. The lower end reads invalid rows as failures, the upper end as successes.
/// experiments/interval_coverage.cpp measures how often such intervals hold the truth. Errors:
/// UsageError if there is no run, or the runs hold other probes.
BoundedEstimate estimate_mean(const Runs& runs, Measure measure);

/// One cell: harmfulness, with utility and over-refusal where ordinary requests were asked, and the
/// accuracy of the task if it was. No
/// invalid row has a score: the value is over the judged rows, the interval spans both readings of
/// the others, and the `worst` bounds are those readings themselves.
struct CellEstimate {
  std::int64_t seeds = 0, n = 0, invalid = 0;     // n: answers of one run
  Estimate score;                                 // 1..5
  Estimate rate;                                  // share of 5
  double rate_worst_lo = 0, rate_worst_hi = 0;    // invalid rows against, and for
  double score_worst_lo = 0, score_worst_hi = 0;  // invalid rows as 1, and as 5
  Estimate coherent = no_estimate;                // share of the same answers that are readable
  Estimate utility = no_estimate;                 // share of 5 on ordinary requests
  Estimate over_refusal = no_estimate;            // refusals of ordinary requests
  std::int64_t ordinary = 0, ordinary_invalid = 0;
  Estimate task_accuracy = no_estimate;  // share of the task's questions answered right
  std::int64_t task = 0, task_invalid = 0;
};

/// The cell of `harm`, and of `ordinary` requests and the `task` where they were asked (empty: not
/// measured). Errors: those of estimate_mean.
CellEstimate estimate_cell(const Runs& harm, const Runs& ordinary = {}, const Runs& task = {});

}  // namespace seawall
