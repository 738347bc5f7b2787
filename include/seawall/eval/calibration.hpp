#pragma once
// Whether a judge's probabilities mean what they say.
#include <cstdint>
#include <vector>

namespace seawall {

/// Answers whose probability is in [lo, hi), the last bin with its end.
struct CalibrationBin {
  double lo = 0, hi = 0;
  std::int64_t n = 0;
  double confidence = 0;  // mean probability; NaN where empty
  double share = 0;       // of answers that are harmful by the labels; NaN where empty
};

struct Calibration {
  std::vector<CalibrationBin> bins;  // of equal width
  std::int64_t n = 0;
  double ece = 0;    // expected calibration error: mean |share - confidence|, weighted by n
  double brier = 0;  // mean squared difference of probability and label
};

/// Pairs of probability (0..1) and label; pairs with a NaN are left out. ECE and Brier are NaN
/// where nothing is left. Source: Naeini et al. 2015; Guo et al. 2017, sec. 2. Errors: UsageError
/// where the lists differ in length, there is no bin, or a probability is outside 0..1.
Calibration calibrate(const std::vector<double>& probability, const std::vector<bool>& harmful,
                      std::size_t bins = 10);

}  // namespace seawall
