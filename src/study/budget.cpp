#include "seawall/study/budget.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "seawall/core/dialogue.hpp"
#include "seawall/core/loss_course.hpp"
#include "seawall/eval/statistics.hpp"

namespace seawall {
namespace {

double rows_of(const RunData& run, RowKind kind) {
  return number_of(run, "rows_" + std::string(row_kind_name(kind)));
}

}  // namespace

double number_of(const RunData& run, std::string_view name) {
  for (const auto& [key, value] : run.info.numbers)
    if (key == name) return value;
  return not_measured;
}

Budget budget_of(const RunData& run, std::int64_t until_epoch) {
  Budget b;
  const double owned = number_of(run, "alignment_stages");  // NaN: none
  double epochs = 0;
  std::vector<StepRecord> steps;
  for (const StepRecord& s : run.steps) {
    if (until_epoch != 0 && s.epoch >= until_epoch) continue;
    steps.push_back(s);
    b.steps += 1;
    b.tokens += static_cast<double>(s.tokens);
    b.seconds += s.seconds;
    if (static_cast<double>(s.stage) < owned) b.stage_seconds += s.seconds;
    b.moved += s.moved;
    b.drift = s.drift;
    epochs = std::max(epochs, static_cast<double>(s.epoch + 1));
  }
  if (b.steps > 0) b.moved /= b.steps;
  // What was evaluated last: the weights after on_finish.
  if (const double last = number_of(run, "final_drift"); until_epoch == 0 && !std::isnan(last))
    b.drift = last;
  const double all = static_cast<double>(run.steps.size());
  const double share = all > 0 ? b.steps / all : 1;
  b.forward_passes = share * number_of(run, "forward_passes");
  b.backward_passes = share * number_of(run, "backward_passes");
  b.rows = number_of(run, "rows");
  b.harmful_rows = rows_of(run, RowKind::harmful);
  b.identity_rows = rows_of(run, RowKind::identity_shift);
  b.safe_rows = rows_of(run, RowKind::safe);
  b.harmful_used = b.harmful_rows * epochs;
  b.identity_used = b.identity_rows * epochs;
  b.safe_used = b.safe_rows * epochs;
  for (const auto& [name, value] : run.info.numbers)
    if (name.starts_with("rows_of_") && !name.starts_with("rows_of_attack_"))
      b.policy_rows += value;
  for (const EvaluationRecord& e : run.evaluations) b.evaluation_seconds += e.seconds;
  b.memory = number_of(run, "peak_memory_bytes");
  const LossCourse course = loss_course(steps);
  b.loss_first = course.first;
  b.loss_last = course.last;
  b.diverged = course.note().empty() ? 0 : 1;
  return b;
}

Budget mean_budget(const std::vector<const RunData*>& runs, std::int64_t until_epoch) {
  constexpr double Budget::*fields[] = {&Budget::steps,
                                        &Budget::forward_passes,
                                        &Budget::backward_passes,
                                        &Budget::tokens,
                                        &Budget::rows,
                                        &Budget::harmful_rows,
                                        &Budget::identity_rows,
                                        &Budget::safe_rows,
                                        &Budget::policy_rows,
                                        &Budget::stage_seconds,
                                        &Budget::evaluation_seconds,
                                        &Budget::harmful_used,
                                        &Budget::identity_used,
                                        &Budget::safe_used,
                                        &Budget::seconds,
                                        &Budget::memory,
                                        &Budget::moved,
                                        &Budget::drift,
                                        &Budget::loss_first,
                                        &Budget::loss_last,
                                        &Budget::diverged};
  Budget mean;
  for (const RunData* run : runs) {
    const Budget one = budget_of(*run, until_epoch);
    for (const auto field : fields) mean.*field += one.*field / static_cast<double>(runs.size());
  }
  return mean;
}

}  // namespace seawall
