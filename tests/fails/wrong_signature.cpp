// expect: hook after_step: declared, .* want `void after_step\(Trainer&, const Step&\)`
#include "seawall/policy/catalogue.hpp"

namespace seawall {
struct Trial {
  static constexpr std::string_view name = "probe", summary = "a probe of the checks";
  static constexpr Need needs = Need::none;
  struct Options {
    static constexpr void visit(auto&, auto&&) {}
  } options;
  static constexpr Hook hooks = Hook::after_step;
  void after_step(Trainer&) {}
};
// Without a static_assert of its own: a stack asks as well.
const Stack stack{Trial{}};
}  // namespace seawall
