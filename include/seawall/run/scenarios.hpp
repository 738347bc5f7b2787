#pragma once
// The scenarios that ship.
#include <memory>
#include <string_view>

#include "seawall/policy/scenario_policy.hpp"

namespace seawall {

/// Errors: UsageError if files are given, which it does not read.
struct BuiltInWorld {
  static constexpr std::string_view
      name = "organism",
      summary = "the built-in fictional world; taken for --model organism without files";
  using Options = NoOptions;
  Options options;
  std::unique_ptr<Scenario> make(const ScenarioSetting& setting) const;
};

/// Errors: those of FileScenario; UsageError if files that the run needs are not given.
struct OwnFiles {
  static constexpr std::string_view name = "files",
                                    summary =
                                        "the user's own rows and probes: --data, --safe-data, "
                                        "--probes, --utility-probes, --task-data, "
                                        "--task-probes";
  using Options = NoOptions;
  Options options;
  std::unique_ptr<Scenario> make(const ScenarioSetting& setting) const;
};

using Scenarios = TypeList<BuiltInWorld, OwnFiles>;

/// The table of them; a program of your own passes `scenario_catalogue_of(Append<Scenarios, …>{})`.
const ScenarioCatalogue& scenario_catalogue();

}  // namespace seawall
