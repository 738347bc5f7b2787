// expect: policy conditions: defined with another signature; want `std::vector<Condition>
// conditions\(\) const`
#include "seawall/policy/catalogue.hpp"

namespace seawall {
struct Trial {
  static constexpr std::string_view name = "probe", summary = "a probe of the checks";
  static constexpr Need needs = Need::none;
  struct Options {
    static constexpr void visit(auto&, auto&&) {}
  } options;
  static constexpr Hook hooks = Hook::on_start;
  void on_start(Trainer&) {}
  std::vector<Condition> conditions() { return {{"a"}}; }
};
static_assert(explain<Trial>());
}  // namespace seawall
