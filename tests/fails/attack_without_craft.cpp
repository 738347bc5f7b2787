// expect: attack craft: of another signature; want `Dataset craft\(const Context&, Rng&\)
#include "seawall/policy/catalogue.hpp"

namespace seawall {
struct Trial {
  static constexpr std::string_view name = "probe", summary = "a probe of the checks";
  static constexpr Need needs = Need::none;
  struct Options {
    static constexpr void visit(auto&, auto&&) {}
  } options;
  Dataset craft(const Scenario&) const { return {}; }
};
const AttackCatalogue catalogue = attack_catalogue_of(TypeList<Trial>{});
}  // namespace seawall
