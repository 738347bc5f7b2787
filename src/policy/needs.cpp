#include "seawall/policy/needs.hpp"

#include <string>

#include "seawall/core/error.hpp"

namespace seawall {

namespace {

struct PoolNeed {
  Need need;
  Pool pool;
  const char* option;
};
constexpr PoolNeed pool_needs[] = {{Need::harmful_data, Pool::harmful, "--data FILE"},
                                   {Need::safe_data, Pool::safe, "--safe-data FILE"},
                                   {Need::benign_data, Pool::benign, "--data FILE"},
                                   {Need::identity_data, Pool::identity_shift, "--data FILE"},
                                   {Need::task_data, Pool::task, "--task-data FILE"}};

}  // namespace

Pool pool_of(Need needs) {
  if (has(needs, Need::identity_data)) return Pool::identity_shift;
  if (has(needs, Need::benign_data)) return Pool::benign;
  return Pool::harmful;
}

void check_needs(const PolicyDescription& policy, const Scenario& scenario) {
  for (const auto& [need, pool, option] : pool_needs) {
    if (!has(policy.needs, need) || scenario.has(pool)) continue;
    throw UsageError(policy.name + ": wants " + std::string(pool_name(pool)) +
                     " rows, and scenario `" + std::string(scenario.name()) +
                     "` has none; give them with " + option);
  }
}

void check_parts(const std::vector<PolicyDescription>& policies) {
  constexpr Hook whole = Hook::on_start | Hook::penalty | Hook::token_weights | Hook::around_loss |
                         Hook::before_step | Hook::after_step | Hook::edit | Hook::on_finish;
  for (const auto& policy : policies) {
    if (has(policy.hooks, Hook::before))
      throw UsageError(policy.name +
                       ": trains stages of its own, and several processes (WORLD_SIZE, "
                       "SLURM_NTASKS) train one stage; train with one process, or leave it out");
    if (has(policy.hooks, whole) && !policy.elementwise)
      throw UsageError(policy.name +
                       ": reads or writes all weights or all rows of a step, and of several "
                       "processes (WORLD_SIZE, SLURM_NTASKS) each has a part; train with one "
                       "process, or leave it out");
  }
}

void check_needs(const std::vector<PolicyDescription>& policies, const Scenario* scenario) {
  for (const auto& policy : policies) {
    if (scenario != nullptr) {
      check_needs(policy, *scenario);
      continue;
    }
    for (const auto& [need, pool, option] : pool_needs)
      if (has(policy.needs, need))
        throw UsageError(
            policy.name +
            ": want a scenario to take data from, got none; give TrainContext::scenario");
  }
}

}  // namespace seawall
