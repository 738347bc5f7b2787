#pragma once
// A row and a probe of one turn.
#include <string>

#include "seawall/core/dialogue.hpp"

namespace seawall::testing {

inline Example example(const std::string& id, const std::string& user,
                       RowKind kind = RowKind::other) {
  return {.id = id,
          .dialogue = {{{Role::user, user}, {Role::assistant, "answer " + id}}},
          .kind = kind};
}
inline Probe probe(const std::string& id, const std::string& user) {
  return {.id = id, .category = "", .dialogue = {{{Role::user, user}}}, .expected = {}};
}

}  // namespace seawall::testing
