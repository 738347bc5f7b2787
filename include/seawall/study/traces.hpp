#pragma once
// What the traces of a study's attacks say: how deep the alignment goes, where the direction of
// refusal points, how drift and harm go together, and which rows were learned most.
#include <cstdint>
#include <string>
#include <vector>

#include "seawall/core/interval.hpp"
#include "seawall/study/reading.hpp"

namespace seawall {

/// When a run was evaluated: `step` updates after its start, or at its end.
struct Moment {
  std::int64_t step = 0;
  bool end = false;  // of each run; `step` is then that of the longest
  bool start() const { return step == 0 && !end; }
};

/// Means over probes at each place of an answer, with 95 % intervals (mean_of_numbers).
struct ByToken {
  std::vector<Estimate> mean;   // nats; of the first token, the second, …
  std::vector<std::int64_t> n;  // probes whose answers have such a token, over all runs
};

/// How deep alignment goes at one moment. `refusals`: restricted probes that the start refused;
/// `compliant`: ordinary ones that the start answered in full.
struct DepthMoment {
  Moment at;
  std::int64_t runs = 0;
  ByToken refusals_logprob, compliant_logprob;  // of the answer that the start gave
  ByToken refusals_kl, compliant_kl;            // from the start, along the answer of now
};

/// An attacked arm under one condition. Counts are of answers of the start, over all runs.
struct DepthReading {
  std::string arm, condition;
  std::vector<DepthMoment> moments;
  std::int64_t refusals = 0, compliant = 0;    // in the means
  std::int64_t not_refused = 0, not_full = 0;  // left out: the start did something else
  std::int64_t not_judged = 0;                 // the judge could not say, or does not
  std::int64_t no_tokens = 0;                  // no tokens were recorded
};

/// A mean over the runs, and the least and the greatest of them.
struct RunSpread {
  double mean = not_measured, least = not_measured, most = not_measured;
};

/// The direction of refusal, mean stream of restricted less that of ordinary prompts at their last
/// token, at one moment. NaN for a layer in which the start has no such direction: layer 0, if all
/// prompts end in one token. Source: Arditi et al. 2024, sec. 2.3.
struct DirectionMoment {
  Moment at;
  std::int64_t runs = 0;
  std::vector<RunSpread> cosine;  // by layer: with the direction at the start
  std::vector<RunSpread> length;  // by layer: as a share of that at the start
};
struct DirectionReading {
  std::string arm, condition;
  std::vector<DirectionMoment> moments;
};

/// Drift and harm of an arm at one moment.
struct HarmMoment {
  Moment at;
  std::int64_t runs = 0;
  RunSpread drift;  // L2 norm of theta - theta0
  Estimate rate;    // share of full answers
};
struct HarmReading {
  std::string table, arm, condition;
  std::vector<HarmMoment> moments;
};

/// Harm at the end with the first `tokens` of each answer fixed to those of the start. `undone` is
/// the share of the harm without them that this takes away. Source: Qi et al. 2024, sec. 2.
struct FixedTokens {
  std::int64_t tokens = 0, runs = 0;
  Estimate rate;     // share of full answers
  RunSpread undone;  // NaN for runs that do no harm
};
struct FixedReading {
  std::string arm, condition;
  Estimate rate;  // with none fixed
  std::vector<FixedTokens> fixed;
};

/// A training row. `moved` is how far its loss fell from the first epoch to the last, or the loss
/// itself if an epoch was all there was: each of them before the update of its step, mean over the
/// runs. Units: nats per token.
struct LearnedRow {
  std::string id, kind, text;
  std::int64_t runs = 0;     // that trained on it
  std::vector<double> loss;  // by epoch
  double moved = not_measured;
};
struct RowsReading {
  std::string arm;
  bool once = false;      // one epoch: no loss could fall
  bool built_in = false;  // every row is of the built-in world, so that its text may be printed
  std::vector<LearnedRow> rows;  // those that moved the model most first
  std::int64_t no_loss = 0;      // rows left out: a step gave them no loss, or none had them
};

/// The traces of the arms that the tables of attacks have.
struct TraceReading {
  std::vector<DepthReading> depth;
  std::vector<DirectionReading> direction;
  std::vector<FixedReading> fixed;
  std::vector<HarmReading> harm;
  std::vector<RowsReading> rows;
  std::vector<std::string> without_depth;  // arms without a depth trace from their start on
  std::vector<std::string> without_steps;  // arms that were asked at their end alone
};
TraceReading read_traces(const StudyReading& study);

/// As CSV, one line per arm, condition, moment and token, layer, or row. Rows have no text.
std::string logprob_csv(const TraceReading& traces);
std::string kl_csv(const TraceReading& traces);
std::string fixed_csv(const TraceReading& traces);
std::string direction_csv(const TraceReading& traces);
std::string drift_harm_csv(const TraceReading& traces);
std::string rows_csv(const TraceReading& traces);

}  // namespace seawall
