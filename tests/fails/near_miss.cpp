// expect: a member has a name that is close to a hook.s, such as onStart or after_steps
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
  void afterStep(ParamView, const Step&) {}
};
static_assert(explain<Trial>());
}  // namespace seawall
