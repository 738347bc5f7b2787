#pragma once
// Options of policies as they are typed, until it is known which policies a command uses.
#include <algorithm>
#include <map>
#include <string>
#include <string_view>

#include "seawall/cli/command_line.hpp"
#include "seawall/cli/program.hpp"
#include "seawall/core/text.hpp"
#include "seawall/eval/evaluate.hpp"
#include "seawall/run/run_spec.hpp"

namespace seawall {

/// True if a judge of this name is among those that --judge lists.
inline bool names_judge(const std::string& listed, const std::string& name) {
  const auto words = split_list(listed);
  return std::ranges::find(words, name, judge_name) != words.end();
}

struct PolicyWords {
  std::map<std::string, OptionTexts> by_policy;

  template <class Entry>
  void declare(CommandLine& line, const Catalogue<Entry>& catalogue) {
    for (const auto& entry : catalogue.entries()) {
      const std::string policy(entry.name);
      line.add_policy(policy, entry.options({}),
                      [this, policy](std::string_view name, std::string_view value) {
                        by_policy[policy].emplace_back(name, value);
                      });
    }
  }

  /// What was typed for that policy.
  const OptionTexts& of(const std::string& policy) { return by_policy[policy]; }

  /// Gives `spec` the program's plug-ins and the options of those that it names. Errors: UsageError
  /// for a judge or scenario that is not there, and for an option that is unknown or out of range.
  void take_plug_ins(const Program& program, RunSpec& spec) const;
};

/// What commands share that judge answers which are there.
class Judging {
 public:
  /// Declares --judge and the options of judges; `judge` and `device` are the command's own.
  Judging(CommandLine& line, const Program& program, const char* help, std::string& judge);
  /// Errors: UsageError; those of make_judges.
  Judges judges(const Scenario& scenario, const std::string& device);

 private:
  const Program& program_;
  std::string& judge_;
  RunSpec asked_;  // what judges are made from
  PolicyWords words_;
};

}  // namespace seawall
