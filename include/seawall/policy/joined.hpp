#pragma once
// How the hooks of several policies join, and what a missing hook means: decided here, once, for
// Stack and AnyStack.
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// Opens the group of a checkpoint that one policy writes to or reads from. The reference lives
/// until the next call.
using OpenStateOut = std::function<StateOut&(std::string_view group)>;
using OpenStateIn = std::function<StateIn&(std::string_view group)>;

namespace detail {

// Each throws RunError naming the policy, the hook, what was wanted and what came.
void want_scalar(std::string_view policy, std::string_view hook, const Tensor& got);
void want_like(std::string_view policy, std::string_view hook, const Tensor& like,
               const Tensor& got);

/// The joins, over whatever `Derived::each<hook>(f)` gives: `f(policy, index)` for every policy
/// that has the hook, in order.
template <class Derived>
class Joined {
 public:
  /// Piped left to right.
  Dataset compose(Dataset rows, const Scenario& scenario, Rng& rng) {
    self().template each<Hook::compose>(
        [&](auto& m, std::size_t) { rows = m.compose(std::move(rows), scenario, rng); });
    return rows;
  }

  /// In order, without gradients.
  void on_start(ParamView params) {
    at::NoGradGuard no_grad;
    self().template each<Hook::on_start>([&](auto& m, std::size_t) { m.on_start(params); });
  }

  /// The sum, differentiable where a policy wants autograd to carry it; undefined where none has a
  /// term now. Asked once a step.
  Tensor penalty(ParamView params, const Step& step) {
    Tensor sum;
    self().template each<Hook::penalty>([&](auto& m, std::size_t) {
      const Tensor term = m.penalty(params, step);
      if (!term.defined()) return;
      want_scalar(name_of(m), "penalty", term);
      sum = sum.defined() ? sum.add(term) : term;
    });
    return sum;
  }

  /// The product; undefined where no policy weighs tokens. Shapes: [N], as losses.loss.
  Tensor token_weights(const TokenLosses& losses) {
    Tensor product;
    self().template each<Hook::token_weights>([&](auto& m, std::size_t) {
      const Tensor weights = m.token_weights(losses);
      if (!weights.defined()) return;
      want_like(name_of(m), "token_weights", losses.loss, weights);
      product = product.defined() ? product.mul(weights) : weights;
    });
    return product;
  }

  /// Nested, the first policy outermost; `loss()` itself where none wraps it.
  Tensor around_loss(const LossFn& loss) {
    std::vector<std::function<Tensor(const LossFn&)>> wraps;
    self().template each<Hook::around_loss>([&](auto& m, std::size_t) {
      wraps.push_back([&m](const LossFn& inner) {
        Tensor value = m.around_loss(inner);
        want_scalar(name_of(m), "around_loss", value);
        return value;
      });
    });
    LossFn chain = loss;
    for (auto wrap = wraps.rbegin(); wrap != wraps.rend(); ++wrap)
      chain = [wrap = *wrap, inner = std::move(chain)] { return wrap(inner); };
    return chain();
  }

  /// In order, without gradients.
  void before_step(ParamView params, const Step& step) {
    at::NoGradGuard no_grad;
    self().template each<Hook::before_step>(
        [&](auto& m, std::size_t) { m.before_step(params, step); });
  }

  /// In order, without gradients.
  void after_step(ParamView params, const Step& step) {
    at::NoGradGuard no_grad;
    self().template each<Hook::after_step>(
        [&](auto& m, std::size_t) { m.after_step(params, step); });
  }

  /// True where every policy lets the parameter train.
  bool trains(std::string_view parameter) const {
    bool all = true;
    self().template each<Hook::trains>(
        [&](auto& m, std::size_t) { all = m.trains(parameter) && all; });
    return all;
  }

  /// In order. Shapes: as x.
  Tensor edit(const TapPoint& point, Tensor x) const {
    self().template each<Hook::edit>([&](auto& m, std::size_t) {
      Tensor edited = m.edit(point, x);
      want_like(name_of(m), "edit", x, edited);
      x = std::move(edited);
    });
    return x;
  }

  /// Piped left to right.
  Dialogue arm(Dialogue dialogue) const {
    self().template each<Hook::arm>(
        [&](auto& m, std::size_t) { dialogue = m.arm(std::move(dialogue)); });
    return dialogue;
  }

  /// In order, without gradients.
  void on_finish(ParamView params) {
    at::NoGradGuard no_grad;
    self().template each<Hook::on_finish>([&](auto& m, std::size_t) { m.on_finish(params); });
  }

  /// Each policy that keeps state under its own group.
  void save(const OpenStateOut& open) const {
    const auto names = groups();
    self().template each<Hook::state>([&](auto& m, std::size_t i) { m.save(open(names[i])); });
  }

  /// As saved. Errors: DataError naming the key that is missing.
  void load(const OpenStateIn& open) {
    at::NoGradGuard no_grad;
    const auto names = groups();
    self().template each<Hook::state>([&](auto& m, std::size_t i) { m.load(open(names[i])); });
  }

  /// One name a policy: `weight-drift`, and `weight-drift-2` for a second of the same kind.
  std::vector<std::string> groups() const {
    std::vector<std::string> names;
    for (const auto& policy : self().describe()) {
      std::string name = policy.name;
      for (int n = 2; std::find(names.begin(), names.end(), name) != names.end(); ++n)
        name = policy.name + "-" + std::to_string(n);
      names.push_back(std::move(name));
    }
    return names;
  }

  /// What each policy measured, under its group's name: `data-audit_flagged`.
  Measured measured() const {
    const auto names = groups();
    Measured all;
    self().template each<Hook::none>([&](auto& m, std::size_t i) {
      if constexpr (requires { m.measured(); })
        for (auto& [name, value] : m.measured()) all.emplace_back(names[i] + "_" + name, value);
    });
    return all;
  }

 private:
  Derived& self() { return static_cast<Derived&>(*this); }
  const Derived& self() const { return static_cast<const Derived&>(*this); }
  template <class M>
  static std::string_view name_of(const M& m) {
    if constexpr (requires { m.name(); })
      return m.name();
    else
      return M::name;
  }
};

}  // namespace detail

}  // namespace seawall
