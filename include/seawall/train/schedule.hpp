#pragma once
// How the learning rate changes over a run.
#include <cstdint>
#include <string_view>

namespace seawall {

enum class LrSchedule {
  constant,
  epoch_decay,  // times `epoch_factor` after every epoch: the paper's Llama-2 recipe
  cosine,       // from the peak to `final_fraction` of it at the last step
};

/// Reads `constant`, `epoch-decay` or `cosine`. Errors: UsageError with the words there are.
LrSchedule lr_schedule_from(std::string_view name);
std::string_view lr_schedule_name(LrSchedule schedule);

struct ScheduleOptions {
  LrSchedule kind = LrSchedule::epoch_decay;
  double lr = 5e-5;               // peak
  double epoch_factor = 0.85;     // Qi et al. 2023, the authors' Llama-2 code (StepLR gamma)
  double final_fraction = 0.0;    // cosine only
  std::int64_t warmup_steps = 0;  // linear from 0, as transformers has it; the paper has none
  /// Errors: UsageError naming the field.
  void check() const;
};

/// The rate of step `index` (0-based) of `total`, in epoch `epoch` (0-based).
double learning_rate(const ScheduleOptions& options, std::int64_t index, std::int64_t epoch,
                     std::int64_t total);

}  // namespace seawall
