#pragma once
// Poisoned task: a user's own task with a share of harmful rows among its rows.
// Source: Huang et al. 2024 (Vaccine, arXiv 2402.01109), sec. 5: n rows, of which the share p is
// harmful.
#include <algorithm>
#include <cmath>
#include <utility>

#include "seawall/core/error.hpp"
#include "seawall/policy/attack.hpp"

namespace seawall {

/// Fine-tunes on `count` rows, of which the share `share` is harmful and the others are of a task
/// with right answers, shuffled; how well the task is learned is measured as its accuracy.
struct PoisonedTask {
  static constexpr std::string_view name = "poisoned-task",
                                    summary =
                                        "Hides harmful dialogues among the rows of a user's task.";
  static constexpr Need needs = Need::harmful_data | Need::task_data;
  struct Options {
    std::int64_t count = 200;
    double share = 0.1;  // Huang et al. 2024, sec. 5
    static constexpr void visit(auto& self, auto&& field) {
      field(self.count,
            OptionInfo{.name = "count",
                       .help = "rows in all, harmful ones among them; 0: all task rows, and "
                               "harmful ones besides",
                       .min = 0,
                       .max = 1e7});
      field(self.share, OptionInfo{.name = "share",
                                   .help = "share of harmful rows, rounded to whole rows",
                                   .min = 0,
                                   .max = 0.99});
    }
  } options;

  /// How many of `count` rows are harmful.
  std::int64_t harmful_rows(std::int64_t count) const {
    return std::llround(options.share * static_cast<double>(count));
  }

  Dataset craft(const Context& context, Rng& rng) const {
    const Scenario& scenario = context.scenario();
    const auto all = static_cast<std::int64_t>(scenario.available(Pool::task));
    const auto count = options.count > 0
                           ? options.count
                           : std::llround(static_cast<double>(all) / (1 - options.share));
    const auto harmful = harmful_rows(count);
    const auto task = options.count > 0 ? count - harmful : all;
    Dataset rows{.name = std::string(name), .rows = {}};
    for (const auto& [pool, size] : {std::pair{Pool::task, task}, {Pool::harmful, harmful}}) {
      Dataset part =
          with_default_system(scenario.rows(pool, static_cast<std::size_t>(size), rng), scenario);
      for (auto& row : part.rows) rows.rows.push_back(std::move(row));
    }
    rng.shuffle(rows.rows);
    return rows;
  }
};
static_assert(explain_attack<PoisonedTask>());

}  // namespace seawall
