#pragma once
// A user's task with harmful rows among its rows: how much harm comes in with it, and whether the
// task is learned all the same, with and without a defence.
#include <string>
#include <utility>
#include <vector>

#include "attacks/poisoned_task.hpp"
#include "mitigations/safety_mixing.hpp"
#include "mitigations/weight_drift.hpp"
#include "seawall/study/arm.hpp"
#include "seawall/study/grid.hpp"

namespace seawall::experiments::poisoned_task {

// Knobs.
inline constexpr double shares[] = {0, 0.05, 0.1, 0.2, 0.3};  // Huang et al. 2024, sec. 5
inline constexpr double lambda = 1e-2;
inline constexpr std::int64_t safe_rows = 50;

inline Table poisoned() {
  Table table{.name = "poisoned-task",
              .title = "A task with harmful rows among its rows",
              .lead =
                  "200 rows, of which a share is harmful; the others are of a task with right "
                  "answers. `task %` is the share of its held-out questions answered right.",
              .role = Table::Role::sweep,
              .row_title = "poisoned task",
              .claims = {rising_along("share", "more harmful rows, more harm")},
              .drawings = {{.kind = Drawing::Kind::lines,
                            .name = "poisoned-task",
                            .title = "Harm by share of harmful rows",
                            .x = "share"}}};
  const std::pair<const char*, std::vector<ArmPolicy<AnyMitigation>>> stacks[] = {
      {"none", {}},
      {"weight-drift", {WeightDrift{{.lambda = lambda}}}},
      {"safety-mixing", {SafetyMixing{{.count = safe_rows}}}}};
  Arm untrained{.name = "initial", .attack = PoisonedTask{}};
  untrained.spec.training.none = true;
  table.add("initial", untrained);
  for (const auto& [name, stack] : stacks)
    for (const double share : shares) {
      const std::string at = detail::to_text(share);
      table.add(
          {.cell = std::string(name) + "/share-" + at, .group = name, .at = {{"share", share}}},
          Arm{.name = std::string(name) + "-" + at,
              .attack = PoisonedTask{{.share = share}},
              .stack = stack});
    }
  return table;
}

inline Grid study() {
  Grid out{.source = "after Huang et al. 2024"};
  out.add(poisoned());
  return out;
}

}  // namespace seawall::experiments::poisoned_task
