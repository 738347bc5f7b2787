#pragma once
// What runs cost, from their files.
#include <cstdint>
#include <string_view>
#include <vector>

#include "seawall/store/run_file.hpp"

namespace seawall {

/// What a run cost and how far it went; NaN where the run file does not say.
struct Budget {
  double steps = 0, forward_passes = 0, backward_passes = 0;  // passes: micro-batches
  double tokens = 0;                                          // trained on, all epochs
  // In the data, after mitigations; rows of an identity shift are none of the harmful ones.
  double rows = 0, harmful_rows = 0, identity_rows = 0, safe_rows = 0;
  double harmful_used = 0, identity_used = 0, safe_used = 0;  // rows times epochs
  double policy_rows = 0;                                     // that mitigations drew besides
  double seconds = 0;                                         // of training, wall
  double stage_seconds = 0;                                   // of them, before the attack
  double evaluation_seconds = 0;                              // of all evaluations, wall
  double memory = 0;                                          // bytes, the process at its largest
  double moved = 0;  // share of the weights that a step changes, mean over steps
  double drift = 0;  // L2 norm of theta - theta0 at the end
  double loss_first = 0, loss_last = 0;  // nat, means over a tenth of the steps; NaN without a step
  double diverged = 0;  // share of the runs whose loss diverged, or ended above where it began
};
/// Up to the end of epoch `until_epoch`, or of the run where it is 0. Passes are counted a run, so
/// those of an earlier epoch are its share of the steps.
Budget budget_of(const RunData& run, std::int64_t until_epoch = 0);
/// The mean over the seeds of a cell.
Budget mean_budget(const std::vector<const RunData*>& runs, std::int64_t until_epoch = 0);

/// A number of a run by its name; NaN where the run has none.
double number_of(const RunData& run, std::string_view name);

}  // namespace seawall
