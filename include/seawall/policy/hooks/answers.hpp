#pragma once
// Hooks on answers while they are made: the same with and without training.
#include <utility>

#include "seawall/policy/hooks/block.hpp"

namespace seawall::detail {

/// In the forward pass while answering: what `edit` is in training.
struct SteerHook : Block<Tensor(const TapPoint&, Tensor) const> {
  SEAWALL_HOOK(steer, steer, "`Tensor steer(const TapPoint&, Tensor) const`")
  template <class Policies>
  struct Join {
    /// In order. Shapes: as x.
    Tensor steer(const TapPoint& point, Tensor x) const {
      each_with<SteerHook>(static_cast<const Policies&>(*this), [&](auto& m, std::size_t) {
        Tensor steered = ask<SteerHook>(m, point, x);
        want_like(policy_name(m), name, x, steered);
        x = std::move(steered);
      });
      return x;
    }
  };
};

/// The logits that the next token of each answer is chosen from.
struct ChooseHook : Block<Tensor(const AnswerStep&, Tensor) const> {
  SEAWALL_HOOK(choose, choose, "`Tensor choose(const AnswerStep&, Tensor logits) const`")
  template <class Policies>
  struct Join {
    /// Piped left to right. Shapes: [B,V] fp32 -> the same.
    Tensor choose(const AnswerStep& step, Tensor logits) const {
      each_with<ChooseHook>(static_cast<const Policies&>(*this), [&](auto& m, std::size_t) {
        Tensor changed = ask<ChooseHook>(m, step, logits);
        want_like(policy_name(m), name, logits, changed);
        logits = std::move(changed);
      });
      return logits;
    }
  };
};

}  // namespace seawall::detail
