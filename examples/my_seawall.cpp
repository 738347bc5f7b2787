// The command line of Seawall with an attack, a mitigation, a judge, a reader and a scenario of
// one's own, which it lists, describes, runs and records like those that ship.
#include "attacks/catalogue.hpp"
#include "drift_ball.hpp"
#include "experiments/arena/study.hpp"
#include "hidden_rows.hpp"
#include "hold_tokens.hpp"
#include "letters.hpp"
#include "long_answer.hpp"
#include "mitigations/catalogue.hpp"
#include "seawall/cli/program.hpp"
#include "seawall/dataset/formats.hpp"
#include "side_gradient.hpp"
#include "small_world.hpp"

int main(int argc, char** argv) {
  using AllAttacks = seawall::Append<seawall::Attacks, examples::HiddenRows>;
  using AllMitigations = seawall::Append<seawall::Mitigations, examples::DriftBall,
                                         examples::SideGradient, examples::HoldTokens>;
  using AllJudges = seawall::Append<seawall::ShippedJudges, examples::LongAnswer>;
  using AllReaders = seawall::Append<seawall::Readers, examples::Letters>;
  using AllScenarios = seawall::Append<seawall::Scenarios, examples::SmallWorld>;
  const auto attacks = seawall::attack_catalogue_of(AllAttacks{});
  const auto mitigations = seawall::mitigation_catalogue_of(AllMitigations{});
  return seawall::run_program(
      {.name = "my_seawall",
       .version = SEAWALL_CODE_VERSION,  // of its sources, see CMakeLists.txt
       .attacks = attacks,
       .mitigations = mitigations,
       .judges = seawall::judge_catalogue_of(AllJudges{}),
       .readers = seawall::reader_catalogue_of(AllReaders{}),
       .scenarios = seawall::scenario_catalogue_of(AllScenarios{}),
       .studies = seawall::experiments::arena::studies({attacks, mitigations})},
      argc, argv);
}
