// expect: policy measured: defined with another signature; want `Measured measured\(\) const`
#include "seawall/policy/catalogue.hpp"

namespace seawall {
struct Trial {
  static constexpr std::string_view name = "probe", summary = "a probe of the checks";
  static constexpr Need needs = Need::none;
  struct Options {
    static constexpr void visit(auto&, auto&&) {}
  } options;
  static constexpr Hook hooks = Hook::on_finish;
  void on_finish(Trainer&) {}
  double measured() const { return 1; }
};
static_assert(explain<Trial>());
}  // namespace seawall
