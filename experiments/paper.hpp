#pragma once
// The cells of Qi et al. 2023 on the organism: every arm is the words one would type after `seawall
// run`.
#include <vector>

#include "seawall/cli/grid.hpp"

namespace seawall::experiments {

/// Tables 1 to 5, and `drift`: what weight drift does to the benign and the explicit attack. One
/// arm may serve several cells.
inline Grid paper_grid() {
  Grid grid;
  // Table 1: explicit harmful examples, five epochs.
  grid.arm("initial", "--attack harmful-examples --no-training");
  for (const char* shots : {"10", "50", "100"})
    grid.arm(std::string(shots) + "-shot",
             "--attack harmful-examples --harmful-examples.count " + std::string(shots));
  grid.cell("table1", "initial", "initial");
  for (const char* cell : {"10-shot", "50-shot", "100-shot"}) grid.cell("table1", cell, cell);

  // Table 2: ten identity-shift dialogues. The learning rate falls by the epoch and the order is
  // fixed, so the third epoch of a ten-epoch run is the three-epoch run: one arm, evaluated three
  // times.
  grid.arm("identity-shift-initial", "--attack identity-shift --no-training");
  grid.arm("identity-shift", "--attack identity-shift --epochs 10 --evaluate-at 3,5,10");
  grid.cell("table2", "initial", "identity-shift-initial");
  for (const std::int64_t epochs : {3, 5, 10})
    grid.cell("table2", std::to_string(epochs) + "-epochs", "identity-shift", epochs);

  // Table 3: benign instructions, one epoch.
  grid.arm("benign-initial", "--attack benign --no-training");
  grid.arm("benign", "--attack benign");
  grid.cell("table3", "initial", "benign-initial");
  grid.cell("table3", "benign", "benign");

  // Table 4: safety rows mixed in.
  for (const char* safe : {"0", "10", "50", "100"}) {
    const std::string name = std::string("harmful-examples/safe-") + safe;
    if (std::string_view(safe) != "0")
      grid.arm(name,
               "--attack harmful-examples --harmful-examples.count 100 --mitigate safety-mixing "
               "--safety-mixing.count " +
                   std::string(safe));
    grid.cell("table4", name, std::string_view(safe) == "0" ? "100-shot" : name);
  }
  for (const char* safe : {"0", "3", "5", "10"}) {
    const std::string name = std::string("identity-shift/safe-") + safe;
    if (std::string_view(safe) != "0")
      grid.arm(
          name,
          "--attack identity-shift --epochs 10 --mitigate safety-mixing --safety-mixing.count " +
              std::string(safe));
    grid.cell("table4", name, std::string_view(safe) == "0" ? "identity-shift" : name);
  }

  // Table 5: the backdoor, audited without and with its trigger.
  grid.arm("backdoor-initial", "--attack backdoor --no-training");
  grid.arm("backdoor", "--attack backdoor");
  grid.cell("table5", "initial", "backdoor-initial");
  grid.cell("table5", "initial", "backdoor-initial", 0, "triggered");
  grid.cell("table5", "100-shot", "100-shot");
  grid.cell("table5", "backdoor", "backdoor");
  grid.cell("table5", "backdoor", "backdoor", 0, "triggered");

  // Beyond the paper: L2 to the start on the benign and on the explicit attack.
  grid.arm("benign/weight-drift",
           "--attack benign --mitigate weight-drift --weight-drift.lambda 1e-2");
  grid.arm("harmful-examples/weight-drift",
           "--attack harmful-examples --harmful-examples.count 100 --mitigate weight-drift "
           "--weight-drift.lambda 1e-2");
  grid.cell("drift", "benign", "benign");
  grid.cell("drift", "benign/weight-drift", "benign/weight-drift");
  grid.cell("drift", "harmful-examples", "100-shot");
  grid.cell("drift", "harmful-examples/weight-drift", "harmful-examples/weight-drift");
  return grid;
}

}  // namespace seawall::experiments
