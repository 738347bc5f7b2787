#pragma once
// Options of policies as they are typed, until it is known which policies a command uses.
#include <algorithm>
#include <map>
#include <string>
#include <string_view>

#include "seawall/cli/command_line.hpp"
#include "seawall/core/text.hpp"
#include "seawall/policy/judge_policy.hpp"
#include "seawall/run/run_spec.hpp"

namespace seawall {

/// True if a judge of this name is among those that --judge lists.
inline bool names_judge(const std::string& listed, const std::string& name) {
  const auto words = split_list(listed);
  return std::ranges::find(words, name) != words.end();
}

struct PolicyWords {
  std::map<std::string, OptionTexts> by_policy;

  template <class Any>
  void declare(CommandLine& line, const Catalogue<Any>& catalogue) {
    for (const auto& entry : catalogue.entries()) {
      const std::string policy(entry.name);
      line.add_policy(policy, entry.options(),
                      [this, policy](std::string_view name, std::string_view value) {
                        by_policy[policy].emplace_back(name, value);
                      });
    }
  }

  /// Gives `spec` the makers of the plug-ins that its judges name. Errors: UsageError for an option
  /// that is unknown or out of range.
  void take_judges(const JudgeCatalogue& judges, RunSpec& spec) {
    for (const auto& entry : judges.entries()) {
      const std::string name(entry.name);
      if (!names_judge(spec.evaluation.judges, name)) continue;
      const auto texts = by_policy[name];
      entry.make(texts);  // says now what is wrong with an option
      spec.own_judges[name] = [make = entry.make, texts] { return make(texts); };
    }
  }
};

}  // namespace seawall
