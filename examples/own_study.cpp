// A study of one's own: a table of arms, what it claims and the figure it draws. Its program runs
// it, compares its cells and writes its page as for the tables that ship:
//   own_study reproduce --out balls && own_study report balls
#include <cstdio>

#include "attacks/catalogue.hpp"
#include "drift_ball.hpp"
#include "mitigations/catalogue.hpp"
#include "seawall/cli/program.hpp"
#include "seawall/core/error.hpp"
#include "seawall/study/arm.hpp"

using namespace seawall;

namespace {

Table balls() {
  Table table{.name = "balls",
              .title = "Ten explicit rows inside a ball",
              .lead = "The attack while `drift-ball` keeps the weights near their start.",
              .role = Table::Role::defence,
              .row_title = "drift ball",
              .claims = {rising_along("radius", "a larger ball lets more harm in")},
              .drawings = {{.name = "balls", .title = "Harm by radius", .x = "radius"}}};
  Arm arm{.name = "open", .attack = HarmfulExamples{{.count = 10}}};
  table.add({.cell = "open", .headline = "ten rows, no defence"}, arm);
  for (const auto& [name, radius] : {std::pair("small", 0.5), std::pair("large", 1.5)}) {
    arm.name = name;
    arm.stack = {examples::DriftBall{{.radius = radius}}};
    table.add({.cell = name, .at = {{"radius", radius}}}, arm);
  }
  return table;
}

}  // namespace

int main(int argc, char** argv) try {
  Grid study{.command = "own_study reproduce", .source = "an example"};
  study.add(balls());
  using AllMitigations = Append<Mitigations, examples::DriftBall>;
  return run_program({.attacks = attack_catalogue(),
                      .mitigations = mitigation_catalogue_of(AllMitigations{}),
                      .grid = study},
                     argc, argv);
} catch (const Error& error) {  // what is wrong with the table
  std::fprintf(stderr, "own_study: %s\n", error.what());
  return static_cast<int>(error.exit_code());
}
