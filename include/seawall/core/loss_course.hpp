#pragma once
// Whether a run's loss went where training should take it.
#include <cstdint>
#include <limits>
#include <span>
#include <string>

#include "seawall/core/trace.hpp"

namespace seawall {

/// How the loss of a run went. Units: nat; means over `window` steps, NaN without a step.
struct LossCourse {
  double first = std::numeric_limits<double>::quiet_NaN(), last = first;
  double highest = first;         // of any window
  std::int64_t highest_step = 0;  // the last step of that window
  std::int64_t window = 0;
  std::int64_t not_finite = 0;  // steps whose loss or gradient was NaN or infinite
  bool rose = false;            // ended above where it began
  bool diverged = false;        // was half as high again as at the start, on the way or at the end

  /// One line on what is wrong with it; empty if nothing is.
  std::string note() const;
};

/// A tenth of the steps, from 1 to 10, is the window of the ends. Batches differ: with several
/// epochs the end must also be above the same rows' loss in the first epoch to count as a rise, and
/// a divergence is looked for in windows of three steps and more.
LossCourse loss_course(std::span<const StepRecord> steps);

}  // namespace seawall
