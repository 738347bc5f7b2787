#pragma once
// What a policy needs is there before step 1, or the run does not start.
#include <vector>

#include "seawall/policy/hook_check.hpp"
#include "seawall/policy/scenario.hpp"

namespace seawall {

/// The pool that an attack of these needs trains on besides its task; harmful rows if it needs
/// none.
Pool pool_of(Need needs);

/// Checks that the scenario has every pool that the policy needs; start weights and reference
/// log-probabilities are the trainer's to give. Errors: UsageError naming the policy, the pool and
/// the option that gives it.
void check_needs(const PolicyDescription& policy, const Scenario& scenario);
/// The same for each of several. Errors: for the first that lacks something; all of them if there
/// is no scenario and a policy needs one.
void check_needs(const std::vector<PolicyDescription>& policies, const Scenario* scenario);

/// Checks that each policy may be given some of the weights and rows, as one of several processes
/// is: it acts on data and answers alone, or declares `elementwise`. Errors: UsageError naming the
/// first that may not.
void check_parts(const std::vector<PolicyDescription>& policies);

}  // namespace seawall
