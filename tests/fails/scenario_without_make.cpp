// expect: scenario: want `std::unique_ptr<Scenario> make\(const ScenarioSetting&\) const`
#include "seawall/policy/scenario_policy.hpp"

namespace seawall {
struct MyScenario {
  static constexpr std::string_view name = "my-scenario", summary = "-";
  using Options = NoOptions;
  Options options;
};
static_assert(explain_scenario<MyScenario>());
}  // namespace seawall
