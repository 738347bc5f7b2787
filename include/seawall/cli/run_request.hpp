#pragma once
// A run as its words ask for it: options, attack and mitigations.
#include <string>
#include <vector>

#include "seawall/cli/command_line.hpp"
#include "seawall/cli/program.hpp"
#include "seawall/run/run_spec.hpp"

namespace seawall {

/// What `seawall run` and `seawall evaluate` are given, parsed and checked but with nothing loaded.
struct RunRequest {
  RunSpec spec;
  AnyAttack attack;
  AnyStack stack;
  bool given_lr = false;
  std::string like;         // the run file whose options it has; "" without one
  std::string config_text;  // every option with its value, as an ini file
  std::string recipe_text;  // what the recipe set and what it was kept from setting; "" without one
};

/// Parses words into a request. `done` in `outcome` after --help and --print-config.
/// Errors: UsageError for unknown words, values out of range, or options of a policy that the run
/// does not use.
RunRequest parse_run(const Program& program, const std::string& command,
                     const std::vector<std::string>& words, CommandLine::Outcome& outcome);

}  // namespace seawall
