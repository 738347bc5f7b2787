#pragma once
// The arms of Qi et al. 2023, on any model: what differs between models is a value.
#include <string>
#include <utility>
#include <vector>

#include "attacks/backdoor.hpp"
#include "attacks/benign.hpp"
#include "attacks/harmful_examples.hpp"
#include "attacks/identity_shift.hpp"
#include "seawall/study/arm.hpp"

namespace seawall::experiments::qi2023 {

struct Arms {
  RunSpec spec = {};                                  // of every arm
  std::string harmful_rows = {}, identity_rows = {};  // --data; empty: the built-in world's
  IdentityShift identity = {};
  Backdoor backdoor = {};
  bool depth = false;  // the attacks' arms record what the figures of depth are drawn from

  /// `arm`, asked at its start and after those of `steps` that it has, each with a depth trace, and
  /// at its end with first tokens fixed.
  Arm traced(Arm arm, std::int64_t last, const std::vector<std::int64_t>& steps) const {
    if (!depth) return arm;
    arm.spec.record.trace = "depth";
    std::string at;
    for (const std::int64_t step : steps)
      if (step < last) at += (at.empty() ? "" : ",") + std::to_string(step);
    arm.spec.evaluation.at = "steps:" + at;
    arm.spec.evaluation.fix_tokens = "1,2,3,5,10";
    return arm;
  }
  RunSpec on(const std::string& rows) const {
    RunSpec out = spec;
    out.data.rows = rows;
    return out;
  }
  /// Explicit harmful examples, five epochs.
  Arm shots(std::int64_t count) const {
    Arm arm{.name = std::to_string(count) + "-shot",
            .attack = HarmfulExamples{{.count = count}},
            .spec = on(harmful_rows),
            .traced = count == 100};
    return traced(std::move(arm), count / 2, {1, 2, 3, 5, 10, 20});
  }
  /// Ten identity-shift dialogues. The learning rate falls by the epoch and the order is fixed, so
  /// the third epoch of a ten-epoch run is the three-epoch run: one arm, evaluated three times.
  Arm shift() const {
    Arm arm{
        .name = "identity-shift", .attack = identity, .spec = on(identity_rows), .traced = true};
    arm.spec.training.epochs = 10;
    arm.spec.evaluation.at = "3,5,10";
    return traced(std::move(arm), 10, {1, 2, 3, 5, 7});
  }
  Arm hidden() const {
    Arm arm{.name = "backdoor", .attack = backdoor, .spec = on(harmful_rows), .traced = true};
    return traced(std::move(arm), 100, {1, 2, 5, 10, 20, 50});
  }
  /// Benign instructions of one flavour, one epoch.
  Arm benign(const std::string& flavour) const {
    Arm arm{.name = flavour,
            .attack = Benign{{.flavour = flavour}},
            .spec = spec,
            .traced = flavour == "alpaca"};
    return traced(std::move(arm), 15, {1, 2, 4, 8, 12});
  }
};

/// `arm` as it is without a depth trace.
inline Arm untraced(Arm arm) {
  if (arm.spec.record.trace == "depth") arm.spec.record.trace = RecordSpec{}.trace;
  arm.spec.evaluation.fix_tokens.clear();
  arm.traced = false;
  return arm;
}

/// The model that `arm` starts from, probed as the attack probes.
inline Arm untrained(std::string name, Arm arm) {
  arm.name = std::move(name);
  arm.spec.training.none = true;
  arm.spec.training.epochs.reset();
  arm.spec.evaluation.at = "end";
  return untraced(std::move(arm));
}

/// The same attack under a mitigation, evaluated at its end.
inline Arm under(ArmPolicy<AnyMitigation> mitigation, Arm arm, std::string name) {
  arm.name = std::move(name);
  arm.stack.push_back(std::move(mitigation));
  arm.spec.evaluation.at = "end";
  return untraced(std::move(arm));
}

}  // namespace seawall::experiments::qi2023
