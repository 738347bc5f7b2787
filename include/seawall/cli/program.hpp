#pragma once
// The command line of Seawall, made from the catalogues it is given: a plug-in outside the tree
// builds its own program with its own lists.
#include "seawall/dataset/reader_policy.hpp"
#include "seawall/model/families.hpp"
#include "seawall/policy/catalogue.hpp"
#include "seawall/policy/judge_policy.hpp"
#include "seawall/policy/scenario_policy.hpp"
#include "seawall/run/scenarios.hpp"
#include "seawall/run/shipped_judges.hpp"
#include "seawall/study/grid.hpp"

namespace seawall {

struct Program {
  AttackCatalogue attacks;
  MitigationCatalogue mitigations;
  JudgeCatalogue judges = judge_catalogue();
  ReaderCatalogue readers = reader_catalogue();
  ScenarioCatalogue scenarios = scenario_catalogue();
  FamilyCatalogue families = family_catalogue();
  Grid grid{};  // the tables that `reproduce` runs; none: it has no such command
};

/// Runs one command and returns the process's exit code; errors become one line on stderr.
int run_program(const Program& program, int argc, char** argv);

}  // namespace seawall
