#pragma once
// What a mitigation is, checked both ways: the hooks it declares are the hooks it defines.
//
//   struct WeightDrift {
//     static constexpr std::string_view name = "weight-drift", summary = "…";
//     static constexpr Hook hooks = Hook::penalty | Hook::after_step;
//     static constexpr Need needs = Need::start_weights;
//     struct Options { … static constexpr void visit(auto& self, auto&& field); } options;
//     Tensor penalty(Trainer& trainer, const Step& step);
//     void after_step(Trainer& trainer, const Step& step);
//   };
//   static_assert(seawall::explain<WeightDrift>());
//
// `options` comes first, so that `WeightDrift{{.lambda = 1e-3}}` reads. Options may have `void
// check() const` for what a range cannot say; it throws UsageError and is called when a Stack or an
// AnyMitigation is made. `edit` is asked at the residual stream, or where `static constexpr Taps
// taps` says. Where options switch hooks off, `Hook active() const` says which are left, and the
// others cost nothing. `std::vector<Condition> conditions() const` gives the conditions that its
// side puts probes under (one without hooks may do nothing else). What it measured (rows filtered,
// weights cut) it may give with `Measured measured() const`; the run file keeps it under the
// policy's name.
#include <ATen/TensorOperators.h>  // so that penalties can be written as they are read

#include "seawall/core/type_list.hpp"
#include "seawall/policy/hook_check.hpp"
#include "seawall/policy/hooks/answers.hpp"
#include "seawall/policy/hooks/loss.hpp"
#include "seawall/policy/hooks/rows.hpp"
#include "seawall/policy/hooks/steps.hpp"
#include "seawall/policy/trainer.hpp"

namespace seawall {
namespace detail {

/// Every hook, in the order of its flag.
using HookBlocks =
    TypeList<ComposeHook, BeforeHook, OnStartHook, PenaltyHook, TokenWeightsHook, AroundLossHook,
             BeforeStepHook, AfterStepHook, TrainsHook, EditHook, PromptHook, OnFinishHook,
             SaveHook, LoadHook, PrepareHook, SteerHook, ChooseHook>;

struct ConditionNames {
  int conditions;
};
/// Whether it has a member of that name, whatever its type.
template <class M>
concept NamesConditions = !requires {
  &Both<M, ConditionNames>::conditions;
};

template <class M, class... Blocks>
consteval void check_hooks(TypeList<Blocks...>) {
  (Blocks::template check<Blocks, M>(), ...);
}

}  // namespace detail

/// True where `hooks` is what the compiler finds in M; otherwise the build stops with one line that
/// names the hook and its signature.
template <class M>
consteval bool explain() {
  detail::explain_common<M>();
  static_assert(detail::HasHooks<M>,
                "policy: want `static constexpr Hook hooks`, the hooks it defines joined by |");
  detail::check_hooks<M>(detail::HookBlocks{});
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
  if constexpr (requires { M::taps; }) {
    static_assert(std::same_as<std::remove_cvref_t<decltype(M::taps)>, Taps>,
                  "policy taps: want `static constexpr Taps taps`, kinds of TapPoint joined by |");
    static_assert(has(M::hooks, Hook::edit) && M::taps.any() && !M::taps.has(TapPoint::Kind::sink),
                  "policy taps: say where `edit` is asked, so want the hook edit, a kind of "
                  "TapPoint, and not sink, which can be read and not edited");
  }
  if constexpr (requires { M::elementwise; })
    static_assert(std::same_as<std::remove_cvref_t<decltype(M::elementwise)>, bool>,
                  "policy elementwise: want `static constexpr bool elementwise`");
  if constexpr (detail::NamesConditions<M>)
    static_assert(
        requires(const M& m) {
          { m.conditions() } -> std::same_as<std::vector<Condition>>;
        },
        "policy conditions: defined with another signature; want `std::vector<Condition> "
        "conditions() const`");
  static_assert(M::hooks != Hook::none || detail::NamesConditions<M>,
                "policy: `hooks` is empty, so the policy would do nothing");
  static_assert(!detail::has_near_miss<M>,
                "policy: a member has a name that is close to a hook's, such as onStart or "
                "after_steps; hooks are spelt as in hooks.hpp");
  return true;
}

}  // namespace seawall
