#pragma once
// Which hooks of a stack the training loop has to make room for.
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/policy/hooks.hpp"
#include "seawall/policy/stack.hpp"

namespace seawall::detail {

/// What the loop has to know of a stack beforehand.
struct StackFacts {
  bool writes_weights = false;  // on_start, before_step, after_step or on_finish
  bool before_step = false;     // the gradients are asked for between backward and update
  bool after_step = false;      // the optimizer is not the last to move the weights
  Need needs = Need::none;
  Taps taps = {};  // where edit is asked
  std::vector<PolicyDescription> policies;
  std::vector<std::string> names;  // one for each, Joined::groups
  std::function<bool(std::string_view)> trains;
};
template <StackLike S>
StackFacts facts_of(const S& stack) {
  StackFacts facts;
  facts.writes_weights = stack.uses(Hook::on_start) || stack.uses(Hook::before_step) ||
                         stack.uses(Hook::after_step) || stack.uses(Hook::on_finish);
  facts.before_step = stack.uses(Hook::before_step);
  facts.after_step = stack.uses(Hook::after_step);
  facts.needs = stack.needs();
  facts.policies = stack.describe();
  facts.names = stack.groups();
  stack.template each<Hook::edit>(
      [&](const auto&, std::size_t i) { facts.taps = facts.taps | facts.policies.at(i).taps; });
  facts.trains = [&stack](std::string_view name) { return stack.trains(name); };
  return facts;
}

}  // namespace seawall::detail
