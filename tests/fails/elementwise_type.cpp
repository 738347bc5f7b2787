// expect: policy elementwise: want `static constexpr bool elementwise`
#include "seawall/policy/catalogue.hpp"

namespace seawall {
struct Trial {
  static constexpr std::string_view name = "probe", summary = "a probe of the checks";
  static constexpr Need needs = Need::none;
  struct Options {
    static constexpr void visit(auto&, auto&&) {}
  } options;
  static constexpr Hook hooks = Hook::on_finish;
  static constexpr int elementwise = 1;
  void on_finish(Trainer&) {}
};
static_assert(explain<Trial>());
}  // namespace seawall
