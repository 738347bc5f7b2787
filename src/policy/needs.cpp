#include "seawall/policy/needs.hpp"

#include <string>

#include "seawall/core/error.hpp"

namespace seawall {

void check_needs(std::string_view policy, Need needs, const Scenario& scenario) {
  struct Row {
    Need need;
    Pool pool;
    const char* option;
  };
  static constexpr Row table[] = {{Need::harmful_data, Pool::harmful, "--data FILE"},
                                  {Need::safe_data, Pool::safe, "--safe-data FILE"},
                                  {Need::benign_data, Pool::benign, "--data FILE"},
                                  {Need::identity_data, Pool::identity_shift, "--data FILE"}};
  for (const auto& [need, pool, option] : table) {
    if (!has(needs, need) || scenario.has(pool)) continue;
    throw UsageError(std::string(policy) + ": wants " + std::string(pool_name(pool)) +
                     " rows, and scenario `" + std::string(scenario.name()) +
                     "` has none; give them with " + option);
  }
}

}  // namespace seawall
