#pragma once
// What an attack is: the rows the model is fine-tuned on, or what else is done to its weights, and
// how it is then probed.
//
//   struct MyAttack {
//     static constexpr std::string_view name = "my-attack", summary = "…";
//     static constexpr Need needs = Need::harmful_data;
//     struct Options { … static constexpr void visit(auto& self, auto&& field); } options;
//     Dataset craft(const Context&, Rng&) const;  // no row: the model is evaluated as it is
//     // Or, in place of craft, several training stages in order:
//     std::vector<StagePlan> stages(const Context&, Rng&) const;
//     // Or, in place of both, an edit of the weights without training (Param::master):
//     void tamper(Trainer&) const;
//     // Optional; what is left out is the scenario's.
//     static constexpr TrainDefaults defaults{.epochs = 1};
//     // Optional; the default is {plain}.
//     std::vector<Condition> conditions() const;
//     // Optional; the default is the probe's own dialogue under the scenario's system prompt.
//     Dialogue prompt(const Probe&, const Condition&, const Scenario&) const;
//   };
//   static_assert(seawall::explain_attack<MyAttack>());
#include <concepts>
#include <cstdint>
#include <string_view>
#include <vector>

#include "seawall/core/options.hpp"
#include "seawall/policy/context.hpp"
#include "seawall/policy/hook_check.hpp"
#include "seawall/policy/hooks.hpp"
#include "seawall/policy/rows.hpp"
#include "seawall/policy/scenario.hpp"
#include "seawall/policy/stage.hpp"
#include "seawall/policy/trainer.hpp"

namespace seawall {

template <class A>
concept PromptsProbes = requires(const A& a, const Probe& p, const Condition& c,
                                 const Scenario& s) {
  { a.prompt(p, c, s) } -> std::same_as<Dialogue>;
};

template <class A>
concept HasConditions = requires(const A& a) {
  { a.conditions() } -> std::same_as<std::vector<Condition>>;
};

namespace detail {
struct AttackNames {
  int craft, stages, tamper, conditions, prompt, defaults;
};
/// Hooks of mitigations, which nobody would call.
struct MitigationNames {
  int compose, before, on_start, penalty, token_weights, around_loss, before_step, after_step,
      trains, edit, on_finish;
};
template <class A>
using Misplaced = Both<A, MitigationNames>;
template <class A>
inline constexpr bool has_misplaced = !(
    requires { &Misplaced<A>::compose; } && requires { &Misplaced<A>::before; } &&
    requires { &Misplaced<A>::on_start; } && requires { &Misplaced<A>::penalty; } &&
    requires { &Misplaced<A>::token_weights; } && requires { &Misplaced<A>::around_loss; } &&
    requires { &Misplaced<A>::before_step; } && requires { &Misplaced<A>::after_step; } &&
    requires { &Misplaced<A>::trains; } && requires { &Misplaced<A>::edit; } &&
    requires { &Misplaced<A>::on_finish; });
template <class A>
concept Crafts = requires(const A& a, const Context& c, Rng& rng) {
  { a.craft(c, rng) } -> std::same_as<Dataset>;
};
template <class A>
concept Stages = requires(const A& a, const Context& c, Rng& rng) {
  { a.stages(c, rng) } -> std::same_as<std::vector<StagePlan>>;
};
template <class A>
concept Tampers = requires(const A& a, Trainer& trainer) {
  { a.tamper(trainer) } -> std::same_as<void>;
};
}  // namespace detail

template <class A>
concept AttackPolicy = requires(const A& a) {
  { A::name } -> std::convertible_to<std::string_view>;
  { A::summary } -> std::convertible_to<std::string_view>;
  { A::needs } -> std::convertible_to<Need>;
  a.options;
}
&&(detail::Crafts<A> || detail::Stages<A> || detail::Tampers<A>);

template <class A>
concept HasDefaults = requires {
  { A::defaults } -> std::convertible_to<TrainDefaults>;
};

/// True where A is an attack; otherwise the build stops with one line that says what is wanted.
template <class A>
consteval bool explain_attack() {
  detail::explain_common<A>();
  static_assert(
      detail::Crafts<A> || requires { &detail::Both<A, detail::AttackNames>::craft; },
      "attack craft: of another signature; want `Dataset craft(const Context&, Rng&) const`");
  static_assert(
      detail::Stages<A> || requires { &detail::Both<A, detail::AttackNames>::stages; },
      "attack stages: of another signature; want `std::vector<StagePlan> stages(const Context&, "
      "Rng&) const`");
  static_assert(
      detail::Tampers<A> || requires { &detail::Both<A, detail::AttackNames>::tamper; },
      "attack tamper: of another signature; want `void tamper(Trainer&) const`");
  static_assert(
      detail::Crafts<A> + detail::Stages<A> + detail::Tampers<A> == 1,
      "attack: want exactly one of craft, stages and tamper: `Dataset craft(const Context&, Rng&) "
      "const`");
  static_assert(
      HasConditions<A> || requires { &detail::Both<A, detail::AttackNames>::conditions; },
      "attack conditions: defined with another signature; want `std::vector<Condition> "
      "conditions() const`");
  static_assert(
      PromptsProbes<A> || requires { &detail::Both<A, detail::AttackNames>::prompt; },
      "attack prompt: defined with another signature; want `Dialogue prompt(const Probe&, const "
      "Condition&, const Scenario&) const`");
  static_assert(
      HasDefaults<A> || requires { &detail::Both<A, detail::AttackNames>::defaults; },
      "attack defaults: of another kind; want `static constexpr TrainDefaults defaults{…}`");
  static_assert(!detail::has_misplaced<A>,
                "attack: a member has the name of a mitigation's hook, which an attack is never "
                "asked; an attack has craft, stages or tamper, conditions and prompt");
  static_assert(!detail::has_near_miss<A>,
                "attack: a member has a name that is close to a hook's; an attack has craft, "
                "stages or tamper, conditions and prompt");
  return true;
}

template <AttackPolicy A>
std::string_view name_of(const A&) {
  return A::name;
}
template <AttackPolicy A>
Need needs_of(const A&) {
  return A::needs;
}
template <AttackPolicy A>
PolicyDescription describe_attack(const A& attack) {
  return {std::string(A::name), list_options(attack.options), A::needs};
}
/// Errors: UsageError for an option out of range.
template <AttackPolicy A>
void check_attack(const A& attack) {
  static_assert(explain_attack<A>());
  detail::check_policy(attack);
}

/// The stages of any attack: of one that crafts rows, one stage `attack`; none of one that edits
/// weights.
template <AttackPolicy A>
std::vector<StagePlan> stages_of(const A& attack, const Context& context, Rng& rng) {
  if constexpr (detail::Crafts<A>)
    return {{.name = "attack", .rows = attack.craft(context, rng)}};
  else if constexpr (detail::Stages<A>)
    return attack.stages(context, rng);
  else
    return {};
}

template <AttackPolicy A>
TrainDefaults defaults_of(const A&) {
  if constexpr (HasDefaults<A>)
    return A::defaults;
  else
    return {};
}

/// The conditions of any attack.
template <AttackPolicy A>
std::vector<Condition> conditions_of(const A& attack) {
  if constexpr (HasConditions<A>)
    return attack.conditions();
  else
    return {Condition{"plain"}};
}

/// The dialogue a probe becomes under a condition: the scenario's system prompt is put where the
/// probe has none.
template <AttackPolicy A>
Dialogue prompt_of(const A& attack, const Probe& probe, const Condition& condition,
                   const Scenario& scenario) {
  if constexpr (PromptsProbes<A>) {
    return attack.prompt(probe, condition, scenario);
  } else {
    return with_default_system(probe.dialogue, scenario);
  }
}

}  // namespace seawall
