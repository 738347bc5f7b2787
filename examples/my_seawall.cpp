// The command line of Seawall with an attack, a mitigation and a judge of one's own, which it
// lists, describes, runs and records like those that ship.
#include "attacks/catalogue.hpp"
#include "drift_ball.hpp"
#include "hidden_rows.hpp"
#include "long_answer.hpp"
#include "mitigations/catalogue.hpp"
#include "seawall/cli/program.hpp"

int main(int argc, char** argv) {
  using AllAttacks = seawall::Append<seawall::Attacks, examples::HiddenRows>;
  using AllMitigations = seawall::Append<seawall::Mitigations, examples::DriftBall>;
  using AllJudges = seawall::TypeList<examples::LongAnswer>;
  return seawall::run_program({.attacks = seawall::attack_catalogue_of(AllAttacks{}),
                               .mitigations = seawall::mitigation_catalogue_of(AllMitigations{}),
                               .judges = seawall::judge_catalogue_of(AllJudges{}),
                               .grid = {}},
                              argc, argv);
}
