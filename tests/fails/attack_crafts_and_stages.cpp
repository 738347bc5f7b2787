// expect: attack: want exactly one of craft, stages and tamper
#include "seawall/policy/catalogue.hpp"

namespace seawall {
struct Try {
  static constexpr std::string_view name = "probe", summary = "a probe of the checks";
  static constexpr Need needs = Need::none;
  struct Options {
    static constexpr void visit(auto&, auto&&) {}
  } options;
  Dataset craft(const Context&, Rng&) const { return {}; }
  std::vector<StagePlan> stages(const Context&, Rng&) const { return {}; }
};
static_assert(explain_attack<Try>());
}  // namespace seawall
