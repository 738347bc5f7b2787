// expect: attack prompt: defined with another .* want `Dialogue prompt\(const Probe&,
#include "seawall/policy/catalogue.hpp"

namespace seawall {
struct Try {
  static constexpr std::string_view name = "probe", summary = "a probe of the checks";
  static constexpr Need needs = Need::none;
  struct Options {
    static constexpr void visit(auto&, auto&&) {}
  } options;
  Dataset craft(const Context&, Rng&) const { return {}; }
  Dialogue prompt(const Probe& probe, const Condition&) const { return probe.dialogue; }
};
static_assert(explain_attack<Try>());
}  // namespace seawall
