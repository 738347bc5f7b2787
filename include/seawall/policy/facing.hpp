#pragma once
// What an attacker makes of what he knows about the defence.
#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "seawall/core/error.hpp"
#include "seawall/policy/context.hpp"

namespace seawall {

/// Of the rows, those that the run's own mitigations leave in, up to `count`; as they are, for the
/// mitigations see them again. Errors: DataError if none is left.
inline Dataset passing(const Context& context, Dataset rows, std::int64_t count) {
  std::set<std::string> passed;
  for (const Example& row : context.faced().defence(rows).rows) passed.insert(row.id);
  const std::size_t tried = rows.size();
  std::erase_if(rows.rows, [&](const Example& row) { return !passed.contains(row.id); });
  if (rows.empty())
    throw DataError("none of " + std::to_string(tried) +
                    " rows passes the mitigations that filter; give more rows, leave the filter "
                    "out, or take another attack");
  rows.rows.resize(std::min(rows.size(), static_cast<std::size_t>(count)));
  return rows;
}

/// Whether a mitigation acts while the model is trained in the attack's stages.
inline bool faces_training_defence(const Context& context) {
  const Hook acts = Hook::penalty | Hook::token_weights | Hook::around_loss | Hook::before_step |
                    Hook::after_step | Hook::trains | Hook::edit;
  const auto& policies = context.faced().policies;
  return std::any_of(policies.begin(), policies.end(), [&](const PolicyDescription& policy) {
    return has(policy.hooks, acts) && !has(policy.hooks, Hook::before);
  });
}

}  // namespace seawall
