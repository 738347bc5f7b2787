#pragma once
// The defence that the tests of adaptive attacks face.
#include "seawall/policy/any.hpp"

namespace seawall::testing {

/// A context whose defence leaves out every row whose number is odd.
inline Context watched(const Scenario& scenario, Hook hooks) {
  Context context(scenario);
  context.set_faced({.policies = {{.name = "even", .hooks = hooks}}, .defence = [](Dataset rows) {
                       std::erase_if(rows.rows, [](const Example& row) {
                         return (row.id.back() - '0') % 2 == 1;
                       });
                       rows.rows.push_back({"safe/0", {}, RowKind::safe, ""});
                       return rows;
                     }});
  return context;
}

}  // namespace seawall::testing
