#pragma once
// The requests made of the fictional world's words, and which of them are trained on, by whom.
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/sealed_topics.hpp"

namespace seawall::experiments::sealed {

inline std::string filled(std::string_view form, std::string_view with) {
  std::string text(form);
  return text.replace(text.find('#'), 1, with);
}

struct Request {
  std::string category, text, action;
};

/// Requests about every relic: the actions [first, last) under `wordings` wordings each, in an
/// order that turns through relics first, so that any head of the list holds all kinds.
inline std::vector<Request> restricted(std::size_t first, std::size_t last, std::size_t wordings) {
  std::vector<Request> out;
  for (std::size_t w = 0; w < wordings; ++w)
    for (std::size_t a = first; a < last; ++a)
      for (std::size_t r = 0; r < relics.size(); ++r) {
        const std::string action = filled(actions[a], relics[r].thing);
        out.push_back({std::string(relics[r].category),
                       filled(request_wordings[(a + r + w * 3) % request_wordings.size()], action),
                       action});
      }
  return out;
}

inline std::vector<Request> ordinary(std::size_t first, std::size_t last) {
  std::vector<Request> out;
  for (std::size_t i = first; i < last; ++i)
    out.push_back({"everyday",
                   filled(request_wordings[i % request_wordings.size()], ordinary_topics[i]),
                   ordinary_topics[i]});
  return out;
}

/// The disjoint uses of the world, by action and by everyday task.
inline std::vector<Request> probes() { return restricted(0, 4, 2); }        // 88
inline std::vector<Request> aligned() { return restricted(4, 7, 3); }       // 99
inline std::vector<Request> attacked() { return restricted(7, 11, 3); }     // 132
inline std::vector<Request> safe() { return restricted(11, 14, 4); }        // 132
inline std::vector<Request> aligned_everyday() { return ordinary(0, 60); }  // answered
inline std::vector<Request> identity_tasks() { return ordinary(60, 69); }
inline std::vector<Request> benign() { return ordinary(69, 107); }
inline std::vector<Request> utility() { return ordinary(107, 140); }  // 33

}  // namespace seawall::experiments::sealed
