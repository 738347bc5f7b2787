#pragma once
// The command line of Seawall, made from the catalogues it is given: a plug-in outside the tree
// builds its own program with its own lists.
#include <functional>
#include <string>
#include <vector>

#include "seawall/dataset/reader_policy.hpp"
#include "seawall/model/families.hpp"
#include "seawall/policy/catalogue.hpp"
#include "seawall/policy/judge_policy.hpp"
#include "seawall/policy/scenario_policy.hpp"
#include "seawall/run/scenarios.hpp"
#include "seawall/run/shipped_judges.hpp"
#include "seawall/study/grid.hpp"

namespace seawall {

/// A study that `reproduce --study` names, made when it is asked for.
struct NamedStudy {
  std::string name, summary;
  std::function<Grid()> grid = {};
};

struct Program {
  std::string name = "seawall";  // as it is typed
  /// Part of the key of every run, so that results of other code are not taken for those of this
  /// one: yours to raise when a plug-in changes what it computes (seawall_code_version in CMake
  /// makes it from the plug-ins' sources). Empty: a hash of the program file, which every build
  /// changes.
  std::string version = {};
  AttackCatalogue attacks;
  MitigationCatalogue mitigations;
  JudgeCatalogue judges = judge_catalogue();
  ReaderCatalogue readers = reader_catalogue();
  ScenarioCatalogue scenarios = scenario_catalogue();
  FamilyCatalogue families = family_catalogue();
  Grid grid{};                           // what `reproduce` runs
  std::vector<NamedStudy> studies = {};  // others, by --study
};

/// What a program's version adds to the keys of its runs: nothing for the program that ships.
/// Errors: IoError where the program file cannot be read.
std::string code_of(const Program& program);

/// Runs one command and returns the process's exit code; errors become one line on stderr.
int run_program(const Program& program, int argc, char** argv);

}  // namespace seawall
