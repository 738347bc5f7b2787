// expect: policy: want `static constexpr Hook hooks`
#include "seawall/policy/catalogue.hpp"

namespace seawall {
struct Trial {
  static constexpr std::string_view name = "probe", summary = "a probe of the checks";
  static constexpr Need needs = Need::none;
  struct Options {
    static constexpr void visit(auto&, auto&&) {}
  } options;
  void on_start(Trainer&) {}
};
static_assert(explain<Trial>());
}  // namespace seawall
