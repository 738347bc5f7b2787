// expect: hook prompt: declared, .* want `Dialogue prompt\(Dialogue, const Condition&, const
// Scenario&\) const`
#include "seawall/policy/catalogue.hpp"

namespace seawall {
struct Trial {
  static constexpr std::string_view name = "probe", summary = "a probe of the checks";
  static constexpr Need needs = Need::none;
  struct Options {
    static constexpr void visit(auto&, auto&&) {}
  } options;
  static constexpr Hook hooks = Hook::prompt;
  Dialogue prompt(Dialogue dialogue, const Condition&, const Scenario&) { return dialogue; }
};
static_assert(explain<Trial>());
}  // namespace seawall
