#pragma once
// The defences of the arena: every mitigation of the catalogue at its published defaults, but for
// those that are scaled to the organism here; each with the one strength that `arena-tuned` varies.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "mitigations/catalogue.hpp"
#include "seawall/study/arm.hpp"

namespace seawall::experiments::arena {

/// A default that is not as published.
struct Scaled {
  std::string_view defence;
  OptionTexts options;
  std::string_view why;
};
inline const std::vector<Scaled>& scaled() {
  static const std::vector<Scaled> all = {};
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
  };
  return all;
}

/// A defence that does not fit an attack (empty: any), and is left out there.
struct Unfit {
  std::string_view defence, attack, why;
};
inline const std::vector<Unfit>& unfit() {
  static const std::vector<Unfit> all = {};
  return all;
}
inline bool fits(std::string_view defence, std::string_view attack) {
  return std::ranges::none_of(unfit(), [&](const Unfit& u) {
    return u.defence == defence && (u.attack.empty() || u.attack == attack);
  });
}

/// One arm's defence. `setting` is part of the arm's name; empty at the defaults.
struct Defence {
  std::string name, setting;
  ArmPolicy<AnyMitigation> policy;
};

inline OptionTexts options_of(std::string_view defence) {
  for (const Scaled& one : scaled())
    if (one.defence == defence) return one.options;
  return {};
}

inline std::vector<Defence> defences() {
  std::vector<Defence> out;
  for (const auto& entry : mitigation_catalogue().entries())
    out.push_back(
        {std::string(entry.name), "", ArmPolicy<AnyMitigation>(entry, options_of(entry.name))});
  return out;
}

/// Each at the values of its strength; one without a strength at its defaults alone.
inline std::vector<Defence> tuned_defences() {
  std::vector<Defence> out;
  for (const auto& entry : mitigation_catalogue().entries()) {
    const auto strength = std::ranges::find(strengths(), entry.name, &Strength::defence);
    OptionTexts texts = options_of(entry.name);
    if (strength == strengths().end()) {
      out.push_back({std::string(entry.name), "", ArmPolicy<AnyMitigation>(entry, texts)});
      continue;
    }
    for (const std::string& value : strength->values) {
      OptionTexts with = texts;
      with.emplace_back(strength->option, value);
      out.push_back({std::string(entry.name), std::string(strength->option) + "=" + value,
                     ArmPolicy<AnyMitigation>(entry, with)});
    }
  }
  return out;
}

}  // namespace seawall::experiments::arena
