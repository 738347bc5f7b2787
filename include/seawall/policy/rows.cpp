#include "seawall/policy/rows.hpp"

#include <string>
#include <utility>

namespace seawall {

Dialogue with_default_system(Dialogue dialogue, const Scenario& scenario) {
  if (dialogue.first(Role::system).empty() && !scenario.default_system().empty())
    dialogue.set_system(std::string(scenario.default_system()));
  return dialogue;
}

Dataset with_default_system(Dataset rows, const Scenario& scenario) {
  for (auto& row : rows.rows) row.dialogue = with_default_system(std::move(row.dialogue), scenario);
  return rows;
}

Dialogue wrap_request(Dialogue dialogue, std::string_view before, std::string_view after) {
  for (auto m = dialogue.messages.rbegin(); m != dialogue.messages.rend(); ++m) {
    if (m->role != Role::user) continue;
    m->content.insert(0, before).append(after);
    break;
  }
  return dialogue;
}

Dataset interleave(Dataset rows, Dataset more) {
  const std::size_t n = rows.size() + more.size();
  Dataset out{std::move(rows.name), {}};
  out.rows.reserve(n);
  for (std::size_t i = 0, taken = 0; i < n; ++i) {
    // Of the first i+1 places, floor((i+1) * more / n) are taken by `more`.
    const bool take = (i + 1) * more.size() / n > taken;
    out.rows.push_back(std::move(take ? more.rows[taken] : rows.rows[i - taken]));
    taken += take;
  }
  return out;
}

}  // namespace seawall
