#pragma once
// A run as it was asked for: options, attack, mitigations, and the scenario they meet.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "seawall/cli/bundle.hpp"
#include "seawall/cli/command_line.hpp"
#include "seawall/cli/program.hpp"
#include "seawall/cli/run_spec.hpp"
#include "seawall/dataset/instruction.hpp"
#include "seawall/dataset/row_filter.hpp"
#include "seawall/eval/evaluate.hpp"
#include "seawall/policy/scenario.hpp"
#include "seawall/remote/spending.hpp"

namespace seawall {

/// What `seawall run` and `seawall evaluate` are given, parsed and checked but with nothing loaded.
struct RunRequest {
  RunSpec spec;
  AnyAttack attack;
  AnyStack stack;
  bool given_lr = false;
  std::string config_text;  // every option with its value, as an ini file
  std::string recipe_text;  // what the recipe set and what it was kept from setting; "" without one
};

/// Parses words into a request. `done` in `outcome` after --help and --print-config.
/// Errors: UsageError for unknown words, values out of range, or options of a policy that the run
/// does not use.
RunRequest parse_run(const Program& program, const std::string& command,
                     const std::vector<std::string>& words, CommandLine::Outcome& outcome);

/// What the recipe fills in where an option was left at 0 or `auto`.
void resolve(RunSpec& spec, const AnyAttack& attack, bool organism);

/// Which rows of --data are trained on. Errors: UsageError, IoError and DataError of the words.
RowFilter row_filter(const RunSpec& spec, const AnyAttack& attack);

/// The organism where the model is the `organism` and no files are given, or the user's files.
/// Errors: UsageError where neither is there, or files are missing.
std::unique_ptr<Scenario> make_scenario(const RunSpec& spec, const AnyAttack& attack,
                                        bool organism);

/// How the run puts probes from files: as --ask-as says, else as the rows of --data are. nullopt
/// for the organism's own, which stay as they are. Errors: UsageError.
std::optional<RequestForm> request_form(const RunSpec& spec, const Scenario& scenario);
/// The probe in that form, as the attack puts it under a condition.
Dialogue asked(const Probe& probe, const Condition& condition, const AnyAttack& attack,
               const Scenario& scenario, std::optional<RequestForm> form);

/// The judges of the spec, the organism's own first; those that cost money take it from `spending`,
/// or from one of their own within the spec's budget. Errors: UsageError.
Judges make_judges(const RunSpec& spec, const Scenario& scenario,
                   std::shared_ptr<Spending> spending = nullptr);

}  // namespace seawall
