// The command line: the policies that ship, and the tables of Qi et al. 2023.
#include <cstdio>
#include <cstdlib>

#include "attacks/catalogue.hpp"
#include "experiments/qi2023/study.hpp"
#include "mitigations/catalogue.hpp"
#include "seawall/cli/program.hpp"

int main(int argc, char** argv) {
  const int code = seawall::run_program({.attacks = seawall::attack_catalogue(),
                                         .mitigations = seawall::mitigation_catalogue(),
                                         .grid = seawall::experiments::qi2023::study()},
                                        argc, argv);
  // Destroying what libtorch registered takes a third of a short run's start, and every arm of a
  // grid is a process; what the run wrote is closed by now.
  std::fflush(nullptr);
  std::_Exit(code);
}
