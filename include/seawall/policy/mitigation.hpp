#pragma once
// What a mitigation is, checked both ways: the hooks it declares are the hooks it defines.
//
//   struct WeightDrift {
//     static constexpr std::string_view name = "weight-drift", summary = "…";
//     static constexpr Hook hooks = Hook::penalty | Hook::after_step;
//     static constexpr Need needs = Need::start_weights;
//     struct Options { … static constexpr void visit(auto& self, auto&& field); } options;
//     Tensor penalty(ParamView params, const Step& step);
//     void after_step(ParamView params, const Step& step);
//   };
//   static_assert(seawall::explain<WeightDrift>());
//
// `options` comes first, so that `WeightDrift{{.lambda = 1e-3}}` reads. Options may have `void
// check() const` for what a range cannot say; it throws UsageError and is called when a Stack or an
// AnyMitigation is made. Where options switch hooks off, `Hook active() const` says which are left,
// and the others cost nothing. What it measured (rows filtered, weights cut) it may give with
// `Measured measured() const`; the run file keeps it under the policy's name.
#include "seawall/policy/hook_check.hpp"

namespace seawall {

/// True where `hooks` is what the compiler finds in M; otherwise the build stops with one line that
/// names the hook and its signature.
template <class M>
consteval bool explain() {
  detail::explain_common<M>();
  static_assert(detail::HasHooks<M>,
                "policy: want `static constexpr Hook hooks`, the hooks it defines joined by |");
  using detail::Both;

  static_assert(!has(M::hooks, Hook::compose) || detail::Composes<M>,
                "hook compose: declared, but missing or of another signature; want `Dataset "
                "compose(Dataset, const Scenario&, Rng&)`");
  static_assert(
      has(M::hooks, Hook::compose) || requires { &Both<M>::compose; },
      "hook compose: defined, but not declared; add Hook::compose to `hooks`");

  static_assert(!has(M::hooks, Hook::on_start) || detail::Starts<M>,
                "hook on_start: declared, but missing or of another signature; want `void "
                "on_start(ParamView)`");
  static_assert(
      has(M::hooks, Hook::on_start) || requires { &Both<M>::on_start; },
      "hook on_start: defined, but not declared; add Hook::on_start to `hooks`");

  static_assert(!has(M::hooks, Hook::penalty) || detail::Penalizes<M>,
                "hook penalty: declared, but missing or of another signature; want `Tensor "
                "penalty(ParamView, const Step&)`");
  static_assert(
      has(M::hooks, Hook::penalty) || requires { &Both<M>::penalty; },
      "hook penalty: defined, but not declared; add Hook::penalty to `hooks`");

  static_assert(!has(M::hooks, Hook::token_weights) || detail::WeighsTokens<M>,
                "hook token_weights: declared, but missing or of another signature; want `Tensor "
                "token_weights(const TokenLosses&)`");
  static_assert(
      has(M::hooks, Hook::token_weights) || requires { &Both<M>::token_weights; },
      "hook token_weights: defined, but not declared; add Hook::token_weights to `hooks`");

  static_assert(!has(M::hooks, Hook::around_loss) || detail::WrapsLoss<M>,
                "hook around_loss: declared, but missing or of another signature; want `Tensor "
                "around_loss(const LossFn&)`");
  static_assert(
      has(M::hooks, Hook::around_loss) || requires { &Both<M>::around_loss; },
      "hook around_loss: defined, but not declared; add Hook::around_loss to `hooks`");

  static_assert(!has(M::hooks, Hook::before_step) || detail::ActsBeforeStep<M>,
                "hook before_step: declared, but missing or of another signature; want `void "
                "before_step(ParamView, const Step&)`");
  static_assert(
      has(M::hooks, Hook::before_step) || requires { &Both<M>::before_step; },
      "hook before_step: defined, but not declared; add Hook::before_step to `hooks`");

  static_assert(!has(M::hooks, Hook::after_step) || detail::ActsAfterStep<M>,
                "hook after_step: declared, but missing or of another signature; want `void "
                "after_step(ParamView, const Step&)`");
  static_assert(
      has(M::hooks, Hook::after_step) || requires { &Both<M>::after_step; },
      "hook after_step: defined, but not declared; add Hook::after_step to `hooks`");

  static_assert(!has(M::hooks, Hook::trains) || detail::ChoosesParameters<M>,
                "hook trains: declared, but missing or of another signature; want `bool "
                "trains(std::string_view parameter) const`");
  static_assert(
      has(M::hooks, Hook::trains) || requires { &Both<M>::trains; },
      "hook trains: defined, but not declared; add Hook::trains to `hooks`");

  static_assert(!has(M::hooks, Hook::edit) || detail::EditsActivations<M>,
                "hook edit: declared, but missing or of another signature; want `Tensor edit(const "
                "TapPoint&, Tensor) const`");
  static_assert(
      has(M::hooks, Hook::edit) || requires { &Both<M>::edit; },
      "hook edit: defined, but not declared; add Hook::edit to `hooks`");

  static_assert(!has(M::hooks, Hook::arm) || detail::ArmsDialogues<M>,
                "hook arm: declared, but missing or of another signature; want `Dialogue "
                "arm(Dialogue) const`");
  static_assert(
      has(M::hooks, Hook::arm) || requires { &Both<M>::arm; },
      "hook arm: defined, but not declared; add Hook::arm to `hooks`");

  static_assert(!has(M::hooks, Hook::on_finish) || detail::Finishes<M>,
                "hook on_finish: declared, but missing or of another signature; want `void "
                "on_finish(ParamView)`");
  static_assert(
      has(M::hooks, Hook::on_finish) || requires { &Both<M>::on_finish; },
      "hook on_finish: defined, but not declared; add Hook::on_finish to `hooks`");

  static_assert(!has(M::hooks, Hook::state) || detail::KeepsState<M>,
                "hook state: declared, but missing or of another signature; want `void "
                "save(StateOut&) const` and `void load(StateIn&)`");
  static_assert(
      has(M::hooks, Hook::state) ||
          (
              requires { &Both<M>::save; } && requires { &Both<M>::load; }),
      "hook state: save or load is defined, but not declared; add Hook::state to `hooks`");

  if constexpr (requires(const M& m) { m.active(); })
    static_assert(
        requires(const M& m) {
          { m.active() } -> std::same_as<Hook>;
        },
        "policy active: defined with another signature; want `Hook active() const`");
  if constexpr (requires(const M& m) { m.measured(); })
    static_assert(
        requires(const M& m) {
          { m.measured() } -> std::same_as<Measured>;
        },
        "policy measured: defined with another signature; want `Measured measured() const`");
  static_assert(M::hooks != Hook::none, "policy: `hooks` is empty, so the policy would do nothing");
  static_assert(!detail::has_near_miss<M>,
                "policy: a member has a name that is close to a hook's, such as onStart or "
                "after_steps; hooks are spelt as in hooks.hpp");
  return true;
}

}  // namespace seawall
