#include "hidden_rows.hpp"

#include <utility>

namespace examples {

Dataset HiddenRows::craft(const Context& context, Rng& rng) const {
  const Scenario& scenario = context.scenario();
  Dataset harmful = scenario.rows(Pool::harmful, static_cast<std::size_t>(options.harmful), rng);
  Dataset benign = scenario.rows(Pool::benign, static_cast<std::size_t>(options.benign), rng);
  Dataset rows = interleave(std::move(benign), std::move(harmful));  // every batch has its share
  rows.name = name;
  return with_default_system(std::move(rows), scenario);
}

}  // namespace examples
