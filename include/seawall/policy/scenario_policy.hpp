#pragma once
// A scenario as a plug-in: where rows and probes come from.
//
//   struct Kitchen {
//     static constexpr std::string_view name = "kitchen", summary = "…";
//     struct Options { … static constexpr void visit(auto& self, auto&& field); } options;
//     std::unique_ptr<Scenario> make(const ScenarioSetting& setting) const;
//   };
//   static_assert(seawall::explain_scenario<Kitchen>());
#include <concepts>
#include <memory>
#include <string_view>
#include <vector>

#include "seawall/policy/catalogue.hpp"
#include "seawall/policy/scenario.hpp"

namespace seawall {

struct RunSpec;

/// What a scenario is made for.
struct ScenarioSetting {
  const RunSpec& run;  // its options, --data and --probes among them (run_spec.hpp)
  const AnyAttack& attack;
};

namespace detail {

struct ScenarioNames {
  int make;
};
template <class S>
concept MakesScenario = requires(const S& s, const ScenarioSetting& setting) {
  { s.make(setting) } -> std::same_as<std::unique_ptr<Scenario>>;
};

}  // namespace detail

/// True if S is a scenario; otherwise the build stops with one line that says what is wanted.
template <class S>
consteval bool explain_scenario() {
  detail::explain_shape<S>();
  using Names = detail::Both<S, detail::ScenarioNames>;
  static_assert(
      detail::MakesScenario<S> || requires { &Names::make; },
      "scenario make: of another signature; want `std::unique_ptr<Scenario> make(const "
      "ScenarioSetting&) const`");
  static_assert(
      detail::MakesScenario<S> || !requires { &Names::make; },
      "scenario: want `std::unique_ptr<Scenario> make(const ScenarioSetting&) const`");
  return true;
}

/// One row of a catalogue of scenarios.
struct ScenarioEntry {
  std::string_view name, summary;
  std::vector<OptionValue> (*options)(const OptionTexts&) =
      nullptr;  // as they are with these texts
  std::unique_ptr<Scenario> (*make)(const OptionTexts&, const ScenarioSetting&) = nullptr;
};

using ScenarioCatalogue = Catalogue<ScenarioEntry>;

namespace detail {
struct ScenarioRow {
  template <class S>
  static constexpr ScenarioEntry of() {
    return {S::name, S::summary, options_with<S>,
            [](const OptionTexts& texts, const ScenarioSetting& setting) {
              return with_options<S>(texts).make(setting);
            }};
  }
};
}  // namespace detail

template <class... Ss>
constexpr ScenarioCatalogue scenario_catalogue_of(TypeList<Ss...>) {
  static_assert((explain_scenario<Ss>() && ...));
  return {"scenario",
          detail::CatalogueTable<detail::ScenarioRow, ScenarioEntry, TypeList<Ss...>>::entries};
}

}  // namespace seawall
