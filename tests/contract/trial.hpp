#pragma once
// How the contract tests try a mitigation: under options that let a few steps on a few rows show
// what it does.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "mitigations/catalogue.hpp"
#include "seawall/policy/catalogue.hpp"
#include "tests/policy/probe_policies.hpp"
#include "tests/train/scenario_run.hpp"

namespace seawall::testing {

/// A policy with every hook is next to those that ship, so that no check runs on nothing.
using AllMitigations = Append<Mitigations, Everything>;

/// The defaults of published methods are for longer runs; what is not listed is tried with them.
inline OptionTexts options_to_try(std::string_view name) {
  static const std::map<std::string_view, OptionTexts> options{
      {"ewc", {{"lambda", "1"}, {"rows", "4"}}},
      {"lisa", {{"k1", "1"}, {"k2", "1"}}},
      {"safe-subspace", {{"rank", "4"}, {"rows", "4"}, {"refresh", "2"}}},
      {"neuron-masks", {{"rows", "4"}}},
      {"preventive-steering", {{"alpha", "1"}, {"rows", "8"}}},
      {"early-stop", {{"rise", "0"}, {"rows", "8"}}},
      {"safelora", {{"tau", "1"}}},
      {"safemerge", {{"tau", "1"}}},
      {"plain-alignment", {{"count", "20"}, {"benign", "4"}}},
      {"vaccine", {{"count", "20"}, {"benign", "4"}}},
      {"t-vaccine", {{"count", "20"}, {"benign", "4"}, {"draw", "2"}, {"score", "3"}}},
      {"booster", {{"count", "20"}, {"benign", "4"}, {"harmful", "15"}}},
      {"repnoise", {{"count", "20"}}},
      {"tar", {{"count", "20"}, {"benign", "4"}, {"inner", "2"}, {"harmful", "15"}}},
      {"circuit-breaker", {{"count", "20"}, {"benign", "4"}, {"harmful", "15"}}},
      {"crl", {{"count", "20"}, {"benign", "4"}, {"harmful", "15"}}},
      {"ctrap", {{"count", "20"}, {"benign", "4"}, {"harmful", "15"}, {"general", "15"}}},
      {"deep-augmentation", {{"count", "20"}, {"anchors", "15"}}},
      {"sdd", {{"count", "20"}, {"benign", "4"}}},
      {"panacea", {{"harmful", "15"}}},
      {"activation-steering", {{"rows", "8"}}}};
  const auto found = options.find(name);
  return found == options.end() ? OptionTexts{} : found->second;
}
/// These act on a condition that the rows of a test may never meet.
inline bool may_do_nothing(std::string_view name) {
  return std::set<std::string_view>{"gradient-surgery", "early-stop", "prefix-guard"}.contains(
      name);
}
/// What is trained is as without them.
inline bool only_answers(std::string_view name) {
  return std::set<std::string_view>{"safe-decoding", "activation-steering"}.contains(name);
}

inline constexpr auto mitigations_to_try = mitigation_catalogue_of(AllMitigations{});
inline AnyMitigation to_try(std::string_view name) {
  return mitigations_to_try.make(name, options_to_try(name));
}

/// If a mitigation has a stage of its own, the run is that stage. Returns the place of the first
/// such mitigation.
template <StackLike S>
std::optional<std::size_t> take_stage(S& stack, ScenarioRun& run) {
  Rng rng(23);
  auto stages = stack.before(Context(run.scenario), rng);
  if (stages.empty()) return std::nullopt;
  run.rows = std::move(stages.front().second.rows);
  return stages.front().first;
}

}  // namespace seawall::testing
