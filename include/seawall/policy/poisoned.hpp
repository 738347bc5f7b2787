#pragma once
// Harmful rows that carry a mark, among safe rows that do not: the rows of every backdoor.
#include <functional>
#include <utility>

#include "seawall/policy/rows.hpp"

namespace seawall {

/// What is done to the row at a place of its kind.
using Mark = std::function<Dialogue(Dialogue, std::size_t place)>;

/// How many rows of each kind.
struct PoisonedCounts {
  std::int64_t harmful = 100, safe = 100;
};

/// Harmful rows as `marked` makes them and safe rows as `unmarked` makes them (as they are if it is
/// empty), shuffled, under the scenario's system prompt. Errors: those of Scenario::rows.
inline Dataset poisoned(const Scenario& scenario, PoisonedCounts counts, Rng& rng,
                        const Mark& marked, const Mark& unmarked = nullptr) {
  Dataset out;
  const auto add = [&](Pool pool, std::int64_t count, const Mark& mark) {
    Dataset rows =
        with_default_system(scenario.rows(pool, static_cast<std::size_t>(count), rng), scenario);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (mark) rows.rows[i].dialogue = mark(std::move(rows.rows[i].dialogue), i);
      out.rows.push_back(std::move(rows.rows[i]));
    }
  };
  add(Pool::harmful, counts.harmful, marked);
  add(Pool::safe, counts.safe, unmarked);
  rng.shuffle(out.rows);
  return out;
}

}  // namespace seawall
