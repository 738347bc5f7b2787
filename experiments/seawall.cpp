// The command line: the policies that ship, the tables of Qi et al. 2023, the arena and a poisoned
// task.
#include <cstdio>
#include <cstdlib>

#include "attacks/catalogue.hpp"
#include "experiments/arena/study.hpp"
#include "experiments/poisoned_task/study.hpp"
#include "experiments/qi2023/study.hpp"
#include "mitigations/catalogue.hpp"
#include "seawall/cli/program.hpp"
#include "seawall/core/version.hpp"

namespace {

std::vector<seawall::NamedStudy> studies() {
  namespace experiments = seawall::experiments;
  auto all =
      experiments::arena::studies({seawall::attack_catalogue(), seawall::mitigation_catalogue()});
  all.push_back({"poisoned-task", "a user's task with harmful rows among its rows",
                 experiments::poisoned_task::study});
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  const int code = seawall::run_program({.version = seawall::program_version,
                                         .attacks = seawall::attack_catalogue(),
                                         .mitigations = seawall::mitigation_catalogue(),
                                         .grid = seawall::experiments::qi2023::study(),
                                         .studies = studies()},
                                        argc, argv);
  // Destroying what libtorch registered takes a third of a short run's start, and every arm of a
  // grid is a process; what the run wrote is closed by now.
  std::fflush(nullptr);
  std::_Exit(code);
}
