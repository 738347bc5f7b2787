#pragma once
// What a policy needs is there before step 1, or the run does not start.
#include <string_view>

#include "seawall/policy/hooks.hpp"
#include "seawall/policy/scenario.hpp"

namespace seawall {

/// Checks that the scenario has every pool among `needs`; start weights and reference
/// log-probabilities are the trainer's to give. Errors: UsageError naming the policy, the pool and
/// the option that gives it.
void check_needs(std::string_view policy, Need needs, const Scenario& scenario);

}  // namespace seawall
