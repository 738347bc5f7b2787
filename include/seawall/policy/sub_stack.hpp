#pragma once
// Some of the mitigations of a stack, as a stack: what acts in one stage of a run.
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "seawall/policy/stack.hpp"

namespace seawall {

/// The policies of `stack` that `acts` names, under the places and names they have in it. The stack
/// must outlive this.
template <StackLike S>
class SubStack : public detail::Joined<SubStack<S>> {
 public:
  SubStack(S& stack, std::vector<bool> acts) : stack_(stack), acts_(std::move(acts)) {}

  bool uses(Hook hook) const {
    const auto policies = stack_.describe();
    for (std::size_t i = 0; i < policies.size(); ++i)
      if (acts_.at(i) && has(policies[i].hooks, hook)) return true;
    return false;
  }
  Need needs() const {
    Need all = Need::none;
    const auto policies = stack_.describe();
    for (std::size_t i = 0; i < policies.size(); ++i)
      if (acts_.at(i)) all = all | policies[i].needs;
    return all;
  }
  /// Of the whole stack, so that places and names are the same.
  std::vector<PolicyDescription> describe() const { return stack_.describe(); }

  template <Hook hook, class F>
  void each(F&& f) {
    stack_.template each<hook>([&](auto& m, std::size_t i) {
      if (acts_.at(i)) f(m, i);
    });
  }
  template <Hook hook, class F>
  void each(F&& f) const {
    std::as_const(stack_).template each<hook>([&](auto& m, std::size_t i) {
      if (acts_.at(i)) f(m, i);
    });
  }

 private:
  S& stack_;
  std::vector<bool> acts_;
};

}  // namespace seawall
