#pragma once
// The catalogues that a run's words are looked up in, and what was typed for their entries.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/dataset/reader_policy.hpp"
#include "seawall/policy/judge_policy.hpp"
#include "seawall/policy/scenario_policy.hpp"
#include "seawall/run/scenarios.hpp"
#include "seawall/run/shipped_judges.hpp"

namespace seawall {

struct PlugIns {
  JudgeCatalogue judges = judge_catalogue();
  ReaderCatalogue readers = reader_catalogue();
  ScenarioCatalogue scenarios = scenario_catalogue();
  std::map<std::string, OptionTexts, std::less<>> options;  // by the name of the judge or scenario
  std::string scenario = "auto";
  std::string code;  // of plug-ins that do not ship, see Program::version; part of the key

  static constexpr void visit(auto& self, auto&& field) {
    field(
        self.scenario,
        OptionInfo{.name = "scenario",
                   .help = "where rows and probes come from (see `seawall list scenarios`); auto: "
                           "files if any are given, else the built-in model's world"});
  }

  /// What was typed for that judge or scenario.
  const OptionTexts& options_of(std::string_view name) const;
  /// Errors: those of JudgeCatalogue::make.
  std::unique_ptr<Judge> make_judge(std::string_view word, const JudgeSetting& setting) const;
  /// Errors: UsageError for a name that there is not; those of the scenario.
  std::unique_ptr<Scenario> make_scenario(std::string_view name,
                                          const ScenarioSetting& setting) const;
  /// Options of the scenario that is named, and of the judges with options in that list, as fields
  /// of a hash or a run file: empty unless one of them has any. Errors: UsageError.
  std::vector<std::pair<std::string, std::string>> fields(const std::string& judges) const;
};

}  // namespace seawall
