#pragma once
// Beyond the paper: filters of the training rows, and weight drift.
#include "experiments/qi2023/arms.hpp"
#include "mitigations/data_audit.hpp"
#include "mitigations/weight_drift.hpp"

namespace seawall::experiments::qi2023 {

/// Can the rows be filtered before anybody trains on them? Every attack under every filter.
inline Table audit(const Arms& arms) {
  Table t{.name = "audit",
          .title = "Auditing the training rows",
          .lead =
              "A filter reads the training rows before they are used, and drops what looks "
              "harmful to it.",
          .role = Table::Role::defence,
          .claims = {defended("the defence helps")},
          .measured = {{"data-audit_audited", "rows audited"},
                       {"data-audit_flagged", "taken out"},
                       {"data-audit_recall", "recall on attack rows", true},
                       {"data-audit_false_positives_benign", "benign taken out", true},
                       {"data-audit_false_positives_safe", "safe taken out", true}}};
  for (const Arm& arm : {arms.shots(100), arms.shift(), arms.hidden(), arms.benign("alpaca")}) {
    const auto add = [&](const std::string& filter, const Arm& filtered) {
      GridCell cell{.cell = arm.name + "/" + filter, .group = arm.name};
      t.add(cell, filtered);
      cell.condition = "triggered";
      if (arm.name == "backdoor") t.add(cell, filtered);
    };
    add("none", arm);
    for (const std::string filter : {"keyword", "judge", "perplexity"})
      add(filter, under(DataAudit{{.filter = filter}}, arm, arm.name + "/" + filter));
  }
  return t;
}

/// L2 to the start on the benign and on the explicit attack.
inline Table drift(const Arms& arms) {
  Table t{.name = "drift",
          .title = "Weight drift",
          .lead = "Beyond the paper: a penalty that pulls the weights to where they started.",
          .role = Table::Role::defence,
          .row_title = "weight drift 1e-2",
          .claims = {defended("the defence helps")}};
  const std::vector<std::pair<std::string, Arm>> attacks = {{"benign", arms.benign("alpaca")},
                                                            {"harmful-examples", arms.shots(100)}};
  for (const auto& [attack, arm] : attacks) {
    const std::string name = attack + "/weight-drift";
    Arm pulled = under(WeightDrift{{.lambda = 1e-2}}, arm, name);
    pulled.traced = true;
    t.add({.cell = attack, .group = attack}, arm);
    t.add({.cell = name, .group = attack}, pulled);
  }
  return t;
}

}  // namespace seawall::experiments::qi2023
