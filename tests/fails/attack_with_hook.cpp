// expect: attack: a member has the name of a mitigation's hook, which an attack is never asked
#include "seawall/policy/catalogue.hpp"

namespace seawall {
struct Try {
  static constexpr std::string_view name = "probe", summary = "a probe of the checks";
  static constexpr Need needs = Need::none;
  struct Options {
    static constexpr void visit(auto&, auto&&) {}
  } options;
  Dataset craft(const Context&, Rng&) const { return {}; }
  void before_step(Trainer&, const Step&) {}
};
static_assert(explain_attack<Try>());
}  // namespace seawall
