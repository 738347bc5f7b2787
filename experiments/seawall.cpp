// The command line: the policies that ship, and the paper's grid.
#include "attacks/catalogue.hpp"
#include "experiments/paper.hpp"
#include "mitigations/catalogue.hpp"
#include "seawall/cli/program.hpp"

int main(int argc, char** argv) {
  return seawall::run_program({.attacks = seawall::attack_catalogue(),
                               .mitigations = seawall::mitigation_catalogue(),
                               .grid = seawall::experiments::paper_grid()},
                              argc, argv);
}
