#include <utf8proc.h>

#include <cstdlib>
#include <memory>
#include <unordered_map>

#include "seawall/dataset/readers.hpp"

namespace seawall {
namespace {

/// Case and compatibility folded (NFKC), each run of white space one space, none at the ends.
std::string folded(const std::string& text) {
  auto* raw = utf8proc_NFKC_Casefold(reinterpret_cast<const utf8proc_uint8_t*>(text.c_str()));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(raw, &std::free);
  const std::string folded_case = raw == nullptr ? text : reinterpret_cast<const char*>(raw);
  std::string out;
  bool gap = false;
  for (const char c : folded_case) {
    if (c == ' ' || (c >= '\t' && c <= '\r')) {
      gap = !out.empty();
      continue;
    }
    if (gap) out += ' ';
    gap = false;
    out += c;
  }
  return out;
}

}  // namespace

Overlap find_overlap(const Dataset& rows, const std::vector<Probe>& probes) {
  std::unordered_multimap<std::string, const std::string*> ids;  // user text of a probe -> its id
  for (const auto& probe : probes) {
    if (!probe.dialogue.messages.empty())
      ids.emplace(folded(probe.dialogue.messages.back().content), &probe.id);
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
