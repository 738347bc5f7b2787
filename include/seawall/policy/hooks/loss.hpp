#pragma once
// Hooks on the loss and in the forward pass.
#include <functional>
#include <utility>
#include <vector>

#include "seawall/policy/hooks/block.hpp"

namespace seawall::detail {

/// A scalar term of the step's loss, asked once per step; undefined = none.
struct PenaltyHook : Block<Tensor(Trainer&, const Step&)> {
  SEAWALL_HOOK(penalty, penalty, "`Tensor penalty(Trainer&, const Step&)`")
  template <class Policies>
  struct Join {
    /// The sum, differentiable if a policy wants autograd to carry it; undefined if none has a term
    /// now.
    Tensor penalty(Trainer& trainer, const Step& step) {
      Tensor sum;
      each_with<PenaltyHook>(static_cast<Policies&>(*this), [&](auto& m, std::size_t i) {
        const Tensor term = ask_in_turn<PenaltyHook>(m, i, trainer, step);
        if (!term.defined()) return;
        want_scalar(policy_name(m), name, term);
        sum = sum.defined() ? sum.add(term) : term;
      });
      return sum;
    }
  };
};

/// [N] weights of the targets of a micro-batch; undefined = all 1.
struct TokenWeightsHook : Block<Tensor(Trainer&, const TokenLosses&)> {
  SEAWALL_HOOK(token_weights, token_weights, "`Tensor token_weights(Trainer&, const TokenLosses&)`")
  template <class Policies>
  struct Join {
    /// The product; undefined if no policy weighs tokens. Shapes: [N], as losses.loss.
    Tensor token_weights(Trainer& trainer, const TokenLosses& losses) {
      Tensor product;
      each_with<TokenWeightsHook>(static_cast<Policies&>(*this), [&](auto& m, std::size_t i) {
        const Tensor weights = ask_in_turn<TokenWeightsHook>(m, i, trainer, losses);
        if (!weights.defined()) return;
        want_like(policy_name(m), name, losses.loss, weights);
        product = product.defined() ? product.mul(weights) : weights;
      });
      return product;
    }
  };
};

/// Several passes around the loss of a micro-batch.
struct AroundLossHook : Block<Tensor(Trainer&, const LossFn&)> {
  SEAWALL_HOOK(around_loss, around_loss, "`Tensor around_loss(Trainer&, const LossFn&)`")
  template <class Policies>
  struct Join {
    /// Nested, the first policy outermost; `loss()` itself if none wraps it.
    Tensor around_loss(Trainer& trainer, const LossFn& loss) {
      std::vector<std::function<Tensor(const LossFn&)>> wraps;
      each_with<AroundLossHook>(static_cast<Policies&>(*this), [&](auto& m, std::size_t i) {
        wraps.push_back([&m, &trainer, i](const LossFn& inner) {
          Tensor value = ask_in_turn<AroundLossHook>(m, i, trainer, inner);
          want_scalar(policy_name(m), name, value);
          return value;
        });
      });
      LossFn chain = loss;
      for (auto wrap = wraps.rbegin(); wrap != wraps.rend(); ++wrap)
        chain = [wrap = *wrap, inner = std::move(chain)] { return wrap(inner); };
      return chain();
    }
  };
};

/// In the forward pass while training.
struct EditHook : Block<Tensor(const TapPoint&, Tensor) const> {
  SEAWALL_HOOK(edit, edit, "`Tensor edit(const TapPoint&, Tensor) const`")
  template <class Policies>
  struct Join {
    /// In order. Shapes: as x.
    Tensor edit(const TapPoint& point, Tensor x) const {
      each_with<EditHook>(static_cast<const Policies&>(*this), [&](auto& m, std::size_t) {
        if (!policy_taps(m).has(point.kind)) return;
        Tensor edited = ask<EditHook>(m, point, x);
        want_like(policy_name(m), name, x, edited);
        x = std::move(edited);
      });
      return x;
    }
  };
};

}  // namespace seawall::detail
