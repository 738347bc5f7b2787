// expect: hook before_step: defined, but not declared; add Hook::before_step to `hooks`
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
  void before_step(Trainer&, const Step&) {}
};
static_assert(explain<Trial>());
}  // namespace seawall
