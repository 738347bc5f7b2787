#pragma once
// A training stage as a policy asks for it.
#include <cstdint>
#include <optional>
#include <string>

#include "seawall/core/dialogue.hpp"

namespace seawall {

/// How a policy trains unless the run says otherwise; unset: as the scenario's own models are
/// trained (Scenario::defaults).
struct TrainDefaults {
  std::optional<double> lr = {};
  std::optional<std::int64_t> epochs = {}, batch_size = {};
};

/// Rows, and how they are trained on. What is unset is as the run's options say; what is set wins
/// over them. A stage with `lora_rank` trains an adapter of its own, which is merged at its end.
struct StagePlan {
  std::string name;  // kebab-case; part of the run's key
  Dataset rows;
  TrainDefaults training = {};
  std::optional<std::int64_t> lora_rank = {};
};

}  // namespace seawall
