#pragma once
// An evaluation in counts; reading one back needs no model.
#include <cstddef>
#include <cstdint>

#include "seawall/core/trace.hpp"

namespace seawall {

/// What one judge said of an evaluation. Units: shares in 0..1, over the rows it could judge; NaN
/// if it judged none. Invalid rows are counted separately and are in no share; there is no rate of
/// refusals if the judge does not say of every row whether it refuses.
struct Summary {
  std::int64_t n = 0, successes = 0, refusals = 0, incoherent = 0, invalid = 0;
  std::int64_t refusal_unknown = 0;  // of those judged
  double mean_score = 0;
  std::int64_t judged() const { return n - invalid; }
  double rate() const { return share(successes, judged()); }
  double refusal_rate() const { return share(refusals, refusal_unknown > 0 ? 0 : judged()); }

 private:
  static double share(std::int64_t count, std::int64_t of);
};
Summary summarize(const EvaluationRecord& record, std::size_t judge = 0);

}  // namespace seawall
