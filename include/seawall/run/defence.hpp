#pragma once
// What a stack does at test time, whatever its type.
#include <functional>
#include <utility>
#include <vector>

#include "seawall/policy/stack.hpp"

namespace seawall {

/// Unset functions cost nothing.
struct Defence {
  std::vector<Condition> conditions = {};
  std::function<Dialogue(Dialogue, const Condition&, const Scenario&)> prompt = {};
  std::function<Tensor(const TapPoint&, const Tensor&)> steer = {};
  std::function<Tensor(const AnswerStep&, Tensor)> choose = {};
};

/// The stack must outlive it.
template <StackLike S>
Defence defence_of(const S& stack) {
  Defence out{.conditions = stack.conditions()};
  if (stack.uses(Hook::prompt))
    out.prompt = [&stack](Dialogue dialogue, const Condition& condition, const Scenario& scenario) {
      return stack.prompt(std::move(dialogue), condition, scenario);
    };
  if (stack.uses(Hook::steer))
    out.steer = [&stack](const TapPoint& point, const Tensor& x) { return stack.steer(point, x); };
  if (stack.uses(Hook::choose))
    out.choose = [&stack](const AnswerStep& step, Tensor logits) {
      return stack.choose(step, std::move(logits));
    };
  return out;
}

}  // namespace seawall
