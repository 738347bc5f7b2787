#pragma once
// What an attack is: the rows the model is fine-tuned on, and how it is then probed.
//
//   struct MyAttack {
//     static constexpr std::string_view name = "my-attack", summary = "…";
//     static constexpr Need needs = Need::harmful_data;
//     struct Options { … static constexpr void visit(auto& self, auto&& field); } options;
//     Dataset craft(const Scenario&, Rng&) const;
//     std::vector<Condition> conditions() const;                                 // optional; default {plain}
//     Dialogue arm(const Probe&, const Condition&, const Scenario&) const;       // optional; default the probe's own dialogue
//   };
#include <concepts>
#include <string_view>
#include <vector>

#include "seawall/core/options.hpp"
#include "seawall/policy/hooks.hpp"
#include "seawall/policy/scenario.hpp"

namespace seawall {

template <class A>
concept ArmsProbes = requires(const A& a, const Probe& p, const Condition& c, const Scenario& s) {
  { a.arm(p, c, s) } -> std::same_as<Dialogue>;
};

template <class A>
concept HasConditions = requires(const A& a) {
  { a.conditions() } -> std::same_as<std::vector<Condition>>;
};

template <class A>
concept AttackPolicy = requires(const A& a, const Scenario& s, Rng& rng) {
  { A::name } -> std::convertible_to<std::string_view>;
  { A::summary } -> std::convertible_to<std::string_view>;
  { A::needs } -> std::convertible_to<Need>;
  a.options;
  { a.craft(s, rng) } -> std::same_as<Dataset>;
};

/// The conditions of any attack.
template <AttackPolicy A>
std::vector<Condition> conditions_of(const A& attack) {
  if constexpr (HasConditions<A>)
    return attack.conditions();
  else
    return {Condition{"plain"}};
}

/// The dialogue a probe becomes under a condition: the scenario's system prompt is put where the probe has none.
template <AttackPolicy A>
Dialogue armed(const A& attack, const Probe& probe, const Condition& condition, const Scenario& scenario) {
  if constexpr (ArmsProbes<A>) {
    return attack.arm(probe, condition, scenario);
  } else {
    Dialogue d = probe.dialogue;
    if (d.first(Role::system).empty() && !scenario.default_system().empty())
      d.set_system(std::string(scenario.default_system()));
    return d;
  }
}

}  // namespace seawall
