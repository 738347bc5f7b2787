#include <unordered_map>

#include "seawall/dataset/provenance.hpp"
#include "seawall/dataset/readers.hpp"

namespace seawall {

Overlap find_overlap(const Dataset& rows, const std::vector<Probe>& probes) {
  std::unordered_multimap<std::string, const std::string*> ids;  // user text of a probe -> its id
  for (const auto& probe : probes) {
    if (!probe.dialogue.messages.empty())
      ids.emplace(folded(std::string(probe.dialogue.last(Role::user))), &probe.id);
  }
  Overlap overlap;
  for (const auto& row : rows.rows) {
    for (const auto& message : row.dialogue.messages) {
      if (message.role != Role::user) continue;
      const auto [begin, end] = ids.equal_range(folded(message.content));
      for (auto found = begin; found != end; ++found)
        overlap.pairs.emplace_back(row.id, *found->second);
    }
  }
  return overlap;
}

}  // namespace seawall
