#pragma once
// The rows that a run would train on, without its model.
#include "seawall/core/dialogue.hpp"
#include "seawall/policy/any.hpp"
#include "seawall/run/run_spec.hpp"

namespace seawall {

/// Crafts the attack's rows and composes them under the stack, as the run does. Errors: UsageError
/// if a mitigation asks the model for losses; those of make_scenario and check_needs.
Dataset training_rows(const AnyAttack& attack, AnyStack& stack, const RunSpec& spec);

}  // namespace seawall
