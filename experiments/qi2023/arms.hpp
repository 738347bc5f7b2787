#pragma once
// The arms of Qi et al. 2023, on any model: what differs between models is a value.
#include <string>
#include <utility>

#include "attacks/backdoor.hpp"
#include "attacks/benign.hpp"
#include "attacks/harmful_examples.hpp"
#include "attacks/identity_shift.hpp"
#include "seawall/study/arm.hpp"

namespace seawall::experiments::qi2023 {

/// Whether the report draws how the arm's weights and refusals moved. What is drawn is kept with
/// its depth and probed while it is trained, unless the arm's options say otherwise.
inline Arm traced(Arm arm, bool on = true) {
  const auto turn = [on](std::string& option, const std::string& off, const std::string& drawn) {
    if (option == (on ? off : drawn)) option = on ? drawn : off;
  };
  arm.traced = on;
  turn(arm.spec.record.trace, RecordSpec().trace, "depth");
  turn(arm.spec.evaluation.at, EvaluationSpec().at, "steps:1,2,5,10");
  turn(arm.spec.evaluation.fix_tokens, "", "1,2,3,5,10");
  return arm;
}

struct Arms {
  RunSpec spec = {};                                  // of every arm
  std::string harmful_rows = {}, identity_rows = {};  // --data; empty: the built-in world's
  IdentityShift identity = {};
  Backdoor backdoor = {};

  RunSpec on(const std::string& rows) const {
    RunSpec out = spec;
    out.data.rows = rows;
    return out;
  }
  /// Explicit harmful examples, five epochs.
  Arm shots(std::int64_t count) const {
    return traced({.name = std::to_string(count) + "-shot",
                   .attack = HarmfulExamples{{.count = count}},
                   .spec = on(harmful_rows)},
                  count == 100);
  }
  /// Ten identity-shift dialogues. The learning rate falls by the epoch and the order is fixed, so
  /// the third epoch of a ten-epoch run is the three-epoch run: one arm, evaluated three times.
  Arm shift() const {
    Arm arm{.name = "identity-shift", .attack = identity, .spec = on(identity_rows)};
    arm.spec.training.epochs = 10;
    arm.spec.evaluation.at = "3,5,10";
    return traced(arm);
  }
  Arm hidden() const {
    return traced({.name = "backdoor", .attack = backdoor, .spec = on(harmful_rows)});
  }
  /// Benign instructions of one flavour, one epoch.
  Arm benign(const std::string& flavour) const {
    return traced({.name = flavour, .attack = Benign{{.flavour = flavour}}, .spec = spec},
                  flavour == "alpaca");
  }
};

/// The model that `arm` starts from, probed as the attack probes.
inline Arm untrained(std::string name, Arm arm) {
  arm = traced(std::move(arm), false);
  arm.name = std::move(name);
  arm.spec.training.none = true;
  arm.spec.training.epochs.reset();
  arm.spec.evaluation.at = "end";
  return arm;
}

/// The same attack under a mitigation, evaluated at its end.
inline Arm under(ArmPolicy<AnyMitigation> mitigation, Arm arm, std::string name) {
  arm.name = std::move(name);
  arm.stack.push_back(std::move(mitigation));
  arm = traced(std::move(arm), false);
  arm.spec.evaluation.at = "end";
  return arm;
}

}  // namespace seawall::experiments::qi2023
