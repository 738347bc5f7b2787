#pragma once
// The defences of the arena: every mitigation of the catalogue at its published defaults, but for
// those that are scaled to the organism here; each with the one strength that `arena-tuned` varies.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/policy/catalogue.hpp"
#include "seawall/study/arm.hpp"

namespace seawall::experiments::arena {

/// A default that is not as published.
struct Scaled {
  std::string_view defence;
  OptionTexts options;
  std::string_view why;
};
inline const std::vector<Scaled>& scaled() {
  static const std::vector<Scaled> all = {
      {"lisa",
       {{"k1", "1"}, {"k2", "1"}},
       "the paper alternates 100 and 900 steps, and the shortest stage of an attack has one"}};
  return all;
}

/// The main strength of a defence, from weak to strong.
struct Strength {
  std::string_view defence, option;
  std::vector<std::string> values;
};
inline const std::vector<Strength>& strengths() {
  static const std::vector<Strength> all = {
      {"safety-mixing", "count", {"10", "50", "100", "200"}},
      {"weight-drift", "lambda", {"0.001", "0.01", "0.1", "1"}},
      {"constrained-sft", "beta", {"0.03", "0.1", "0.3", "1"}},
      {"data-audit", "filter", {"keyword", "perplexity", "judge"}},
      {"kl-to-start", "lambda", {"0.1", "1", "10", "100"}},
      {"ewc", "lambda", {"1e7", "1e8", "1e9", "1e10"}},
      {"ldifs", "rho", {"0.001", "0.01", "0.1", "1"}},
      {"sbr", "lambda", {"5", "50", "500", "5000"}},
      {"attention-sink", "alpha", {"30", "300", "3000", "30000"}},
      {"adaptive-kl", "most", {"0.3", "0.5", "0.7", "0.9"}},
      {"safety-term", "lambda", {"0.1", "0.3", "1", "3"}},
      {"lisa", "rho", {"0.1", "1", "10", "100"}},
      {"row-weights", "lr", {"0.03", "0.1", "0.3", "1"}},
      {"gradient-surgery", "batch", {"5", "10", "20", "40"}},
      {"safegrad", "weight", {"0.3", "1", "3", "10"}},
      {"safe-subspace", "rank", {"4", "8", "16", "32"}},
      {"spf", "rank", {"1", "3", "10", "30"}},
      {"neuron-masks", "fraction", {"0.05", "0.1", "0.3", "0.6"}},
      {"freeze-layers", "layers", {"embed", "0", "embed,0", "embed,0,norm"}},
      {"preventive-steering", "alpha", {"1", "2", "5", "10"}},
      {"early-stop", "rise", {"0.2", "0.1", "0.05", "0.02"}},
      {"ema", "decay", {"0.25", "0.5", "0.75", "0.9"}},
      {"panacea", "lambda", {"0.0001", "0.001", "0.01", "0.1"}},
      {"asft", "lambda", {"0.1", "1", "10", "100"}},
      {"plain-alignment", "epochs", {"1", "2", "4", "8"}},
      {"vaccine", "rho", {"0.5", "2", "8", "20"}},
      {"t-vaccine", "rho", {"1", "3", "10", "20"}},
      {"booster", "lambda", {"0.05", "0.5", "5", "50"}},
      {"repnoise", "alpha", {"0.1", "0.3", "1", "3"}},
      {"tar", "scale", {"1", "2", "4", "8"}},
      {"circuit-breaker", "alpha", {"1", "5", "10", "20"}},
      {"ctrap", "lambda", {"0.01", "0.1", "1", "10"}},
      {"deep-augmentation", "share", {"0.1", "0.2", "0.5", "0.8"}},
      {"sdd", "epochs", {"1", "2", "4", "8"}},
      {"lox", "coef", {"0.25", "0.5", "1", "2"}},
      {"safelora", "tau", {"0.3", "0.5", "0.7", "1"}},
      {"safemerge", "tau", {"0.2", "0.35", "0.5", "0.8"}},
      {"splora", "count", {"5", "10", "15", "20"}},
      {"resta", "gamma", {"0.25", "0.5", "1", "2"}},
      {"antidote", "alpha", {"0.01", "0.03", "0.1", "0.2"}},
      {"safe-delta", "s", {"1", "0.5", "0.1", "0.01"}},
      {"backdoor-align", "count", {"5", "11", "30", "100"}},
  };
  return all;
}

/// A defence, or one of its settings, that does not fit an attack (empty: any), and is left out
/// there.
struct Unfit {
  std::string_view defence, attack, why, setting = {};
};
inline const std::vector<Unfit>& unfit() {
  static constexpr std::string_view lora = "explicit-100-lora";
  static const std::vector<Unfit> all = {
      {"antidote", lora, "it writes whole weights"},
      {"lox", lora, "it writes whole weights"},
      {"resta", lora, "it writes whole weights"},
      {"safe-delta", lora, "it writes whole weights"},
      {"neuron-masks", lora, "it masks gradients of whole weights"},
      {"freeze-layers", lora, "LoRA trains nothing there", "layers=embed"},
      {"data-audit", "defence-aware", "its filter lets none of the attacker's rows pass"}};
  return all;
}

/// One arm's defence. `setting` is part of the arm's name; empty at the defaults.
struct Defence {
  std::string name, setting;
  ArmPolicy<AnyMitigation> policy;
};

inline bool fits(const Defence& defence, std::string_view attack) {
  return std::ranges::none_of(unfit(), [&](const Unfit& u) {
    return u.defence == defence.name && (u.attack.empty() || u.attack == attack) &&
           (u.setting.empty() || u.setting == defence.setting);
  });
}

/// The condition under which a defended model is read: that of the attack, as the defence deploys
/// it, which is the first of its own conditions.
inline std::string read_under(const Arm& attacked, const std::string& condition,
                              const Defence& defence) {
  const auto own = defence.policy.policy().conditions();
  if (own.empty()) return condition;
  // The first that the run will have, for this condition of the attack (conditions_of_run).
  const auto all = conditions_of_run(attacked.attack.policy().conditions(), own);
  const auto found = std::ranges::find_if(
      all, [&](const Condition& one) { return one.is(condition) && one.is(own.front().name); });
  return found == all.end() ? own.front().name : found->name;
}

inline OptionTexts options_of(std::string_view defence) {
  for (const Scaled& one : scaled())
    if (one.defence == defence) return one.options;
  return {};
}

inline Defence at_defaults(const CatalogueEntry<AnyMitigation>& entry) {
  return {std::string(entry.name), "", ArmPolicy<AnyMitigation>(entry, options_of(entry.name))};
}

inline std::vector<Defence> defences(const MitigationCatalogue& catalogue) {
  std::vector<Defence> out;
  for (const auto& entry : catalogue.entries()) out.push_back(at_defaults(entry));
  return out;
}

/// Each at the values of its strength; one without a strength at its defaults alone.
inline std::vector<Defence> tuned_defences(const MitigationCatalogue& catalogue) {
  std::vector<Defence> out;
  for (const auto& entry : catalogue.entries()) {
    const auto strength = std::ranges::find(strengths(), entry.name, &Strength::defence);
    if (strength == strengths().end()) {
      out.push_back(at_defaults(entry));
      continue;
    }
    for (const std::string& value : strength->values) {
      OptionTexts with = options_of(entry.name);
      with.emplace_back(strength->option, value);
      out.push_back({std::string(entry.name), std::string(strength->option) + "=" + value,
                     ArmPolicy<AnyMitigation>(entry, with)});
    }
  }
  return out;
}

}  // namespace seawall::experiments::arena
