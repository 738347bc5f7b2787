#include "seawall/core/loss_course.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

namespace seawall {
namespace {

/// What the loss of a window must exceed, in parts of the first one, to have diverged.
constexpr double diverged_at = 1.5;

bool is_finite(const StepRecord& step) {
  // A provider that trains says nothing of gradients and learning rates.
  return std::isfinite(step.loss) && std::isfinite(step.penalty) &&
         (std::isfinite(step.grad_norm) || std::isnan(step.lr));
}

/// An edit of weights has no loss, no learning rate and no rows.
bool is_edit(const StepRecord& step) {
  return step.tokens == 0 && std::isnan(step.loss) && std::isnan(step.lr);
}

double mean(const std::vector<StepRecord>& steps, std::size_t begin, std::size_t count) {
  double sum = 0;
  for (std::size_t i = begin; i < begin + count; ++i) sum += steps[i].loss;
  return sum / static_cast<double>(count);
}

/// The loss in the first epoch at the places within the epoch that the last `count` steps have;
/// negative with one epoch only, or one that is shorter than that.
double same_rows_before(const std::vector<StepRecord>& steps, std::size_t count) {
  const auto of_first = [&](const StepRecord& s) { return s.epoch == steps.front().epoch; };
  const auto per_epoch = static_cast<std::size_t>(std::ranges::count_if(steps, of_first));
  if (per_epoch == steps.size() || per_epoch < count) return -1;
  double sum = 0;
  for (std::size_t i = steps.size() - count; i < steps.size(); ++i)
    sum += steps[i % per_epoch].loss;
  return sum / static_cast<double>(count);
}

}  // namespace

LossCourse loss_course(std::span<const StepRecord> all) {
  LossCourse out;
  std::vector<StepRecord> steps;
  for (const auto& step : all) {
    if (step.stage != all.back().stage || is_edit(step)) continue;
    if (is_finite(step))
      steps.push_back(step);
    else
      ++out.not_finite;
  }
  if (steps.empty()) return out;
  const std::size_t n = steps.size();
  const std::size_t ends = std::clamp<std::size_t>(n / 10, 1, 10);
  out.window = static_cast<std::int64_t>(ends);
  out.first = mean(steps, 0, ends);
  out.last = mean(steps, n - ends, ends);
  out.rose = n > 1 && out.last > out.first && out.last > same_rows_before(steps, ends);

  const std::size_t wide = std::clamp<std::size_t>(n / 10, 3, 10);
  if (n < 2 * wide) {
    out.highest = std::max(out.first, out.last);
    out.highest_step = out.last > out.first ? steps.back().step : steps.front().step;
    return out;
  }
  const double start = mean(steps, 0, wide);
  out.highest = start;
  out.highest_step = steps[wide - 1].step;
  for (std::size_t i = 1; i + wide <= n; ++i) {
    const double here = mean(steps, i, wide);
    if (here <= out.highest) continue;
    out.highest = here;
    out.highest_step = steps[i + wide - 1].step;
  }
  out.diverged = out.highest > diverged_at * start;
  return out;
}

std::string LossCourse::note() const {
  char text[256] = "";
  if (diverged)
    std::snprintf(text, sizeof text,
                  "the loss diverged: %.4g at the start, %.4g around step %lld, %.4g at the end; "
                  "lower --lr",
                  first, highest, static_cast<long long>(highest_step), last);
  else if (rose)
    std::snprintf(text, sizeof text,
                  "the loss ended above where it began: %.4g to %.4g; look at --lr and the rows",
                  first, last);
  std::string out = text;
  if (not_finite > 0)
    out += (out.empty() ? "" : "; ") + std::to_string(not_finite) +
           " steps had a loss or gradient that was not finite";
  return out;
}

}  // namespace seawall
