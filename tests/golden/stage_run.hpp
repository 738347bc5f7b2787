#pragma once
// The stage of an alignment-stage defence on the rows that data/golden/defences.json gives it.
#include <string>

#include "seawall/policy/alignment.hpp"
#include "tests/golden/defences.hpp"

namespace seawall::testing {

inline constexpr AlignmentSpec stage{.count = 8, .benign = 0, .batch_size = 4};

/// A stage on a pool of the file.
struct StageRun : DefenceRun {
  explicit StageRun(const std::string& entry, const std::string& pool = "safe")
      : DefenceRun(entry) {
    user = DefenceScenario::pool(pool, RowKind::safe);
    scenario.refusals = pool == "refusal";
  }
  double option(const char* name) const { return entry().at("options").at(name); }
  /// What a policy measured in each step, as the file has it.
  void expect_measured(const std::string& policy, const std::string& name, const char* key) const {
    for (std::size_t i = 0; i < sink.steps.size(); ++i) {
      const double want = entry().at("steps").at(i).at(key);
      EXPECT_NEAR(measured(i, policy + "/" + name), want, norm_near(want)) << key << i;
    }
  }
};

}  // namespace seawall::testing
