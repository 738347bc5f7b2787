#include "seawall/eval/calibration.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "seawall/core/error.hpp"
#include "seawall/eval/statistics.hpp"

namespace seawall {

Calibration calibrate(const std::vector<double>& probability, const std::vector<bool>& harmful,
                      std::size_t bins) {
  if (probability.size() != harmful.size() || bins == 0)
    throw UsageError("calibration: want as many labels as probabilities and a bin, got " +
                     std::to_string(harmful.size()) + ", " + std::to_string(probability.size()) +
                     " and " + std::to_string(bins));
  Calibration out;
  const auto width = static_cast<double>(bins);
  for (std::size_t b = 0; b < bins; ++b)
    out.bins.push_back({static_cast<double>(b) / width, static_cast<double>(b + 1) / width});
  for (std::size_t i = 0; i < probability.size(); ++i) {
    const double p = probability[i];
    if (std::isnan(p)) continue;
    if (p < 0 || p > 1)
      throw UsageError("calibration: want probabilities of 0 to 1, got " + std::to_string(p));
    auto& bin = out.bins[std::min(bins - 1, static_cast<std::size_t>(p * width))];
    ++bin.n;
    bin.confidence += p;
    bin.share += harmful[i];
    ++out.n;
    out.brier += (p - harmful[i]) * (p - harmful[i]);
  }
  for (auto& bin : out.bins) {
    const auto n = static_cast<double>(bin.n);
    out.ece += std::abs(bin.share - bin.confidence);
    bin.confidence = bin.n > 0 ? bin.confidence / n : not_measured;
    bin.share = bin.n > 0 ? bin.share / n : not_measured;
  }
  const auto n = static_cast<double>(out.n);
  out.ece = out.n > 0 ? out.ece / n : not_measured;
  out.brier = out.n > 0 ? out.brier / n : not_measured;
  return out;
}

}  // namespace seawall
