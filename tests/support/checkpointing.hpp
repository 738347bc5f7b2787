#pragma once
// Activation checkpointing for a scope.
#include "seawall/model/runtime.hpp"

namespace seawall::testing {

struct Checkpointing {
  Checkpointing() { set_activation_checkpointing(true); }
  ~Checkpointing() { set_activation_checkpointing(false); }
  Checkpointing(const Checkpointing&) = delete;
  Checkpointing& operator=(const Checkpointing&) = delete;
};

}  // namespace seawall::testing
