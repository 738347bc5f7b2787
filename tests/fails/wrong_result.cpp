// expect: hook penalty: declared, .* want `Tensor penalty\(Trainer&, const Step&\)`
#include "seawall/policy/catalogue.hpp"

namespace seawall {
struct Trial {
  static constexpr std::string_view name = "probe", summary = "a probe of the checks";
  static constexpr Need needs = Need::none;
  struct Options {
    static constexpr void visit(auto&, auto&&) {}
  } options;
  static constexpr Hook hooks = Hook::penalty;
  double penalty(Trainer&, const Step&) { return 0; }
};
static_assert(explain<Trial>());
}  // namespace seawall
