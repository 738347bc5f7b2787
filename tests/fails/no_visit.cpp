// expect: plug-in: want `struct Options \{ …; static constexpr void visit\(auto& self,
#include "seawall/policy/catalogue.hpp"

namespace seawall {
struct Trial {
  static constexpr std::string_view name = "probe", summary = "a probe of the checks";
  static constexpr Hook hooks = Hook::on_start;
  static constexpr Need needs = Need::none;
  struct Options {
    double factor = 1;
  } options;
  void on_start(Trainer&) {}
};
static_assert(explain<Trial>());
}  // namespace seawall
