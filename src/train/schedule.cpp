#include "seawall/train/schedule.hpp"

#include <cmath>
#include <numbers>
#include <string>

#include "seawall/core/error.hpp"

namespace seawall {

LrSchedule lr_schedule_from(std::string_view name) {
  for (const auto schedule : {LrSchedule::constant, LrSchedule::epoch_decay, LrSchedule::cosine})
    if (lr_schedule_name(schedule) == name) return schedule;
  throw UsageError("lr-schedule: want constant, epoch-decay or cosine, got '" + std::string(name) +
                   "'");
}

std::string_view lr_schedule_name(LrSchedule schedule) {
  switch (schedule) {
    case LrSchedule::constant:
      return "constant";
    case LrSchedule::epoch_decay:
      return "epoch-decay";
    case LrSchedule::cosine:
      return "cosine";
  }
  return "";
}

void ScheduleOptions::check() const {
  if (!(lr > 0) || !std::isfinite(lr))
    throw UsageError("lr: want a positive number, got " + std::to_string(lr));
  if (!(epoch_factor > 0 && epoch_factor <= 1))
    throw UsageError("epoch-factor: want a number in (0, 1], got " + std::to_string(epoch_factor));
  if (!(final_fraction >= 0 && final_fraction <= 1))
    throw UsageError("final-fraction: want a number in [0, 1], got " +
                     std::to_string(final_fraction));
  if (warmup_steps < 0)
    throw UsageError("warmup-steps: want 0 or more, got " + std::to_string(warmup_steps));
}

double learning_rate(const ScheduleOptions& options, std::int64_t index, std::int64_t epoch,
                     std::int64_t total) {
  if (index < options.warmup_steps)
    return options.lr * static_cast<double>(index) / static_cast<double>(options.warmup_steps);
  switch (options.kind) {
    case LrSchedule::constant:
      return options.lr;
    case LrSchedule::epoch_decay:
      return options.lr * std::pow(options.epoch_factor, static_cast<double>(epoch));
    case LrSchedule::cosine: {
      const double span = static_cast<double>(total - options.warmup_steps);
      const double part = span > 0 ? static_cast<double>(index - options.warmup_steps) / span : 1.0;
      const double fall = 0.5 * (1 + std::cos(std::numbers::pi * std::fmin(part, 1.0)));
      return options.lr * (options.final_fraction + (1 - options.final_fraction) * fall);
    }
  }
  return options.lr;
}

}  // namespace seawall
