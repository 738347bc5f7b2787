// expect: catalogue: want names of which no two are the same
#include "seawall/policy/catalogue.hpp"

namespace seawall {
struct One {
  static constexpr std::string_view name = "probe", summary = "a probe of the checks";
  static constexpr Need needs = Need::none;
  struct Options {
    static constexpr void visit(auto&, auto&&) {}
  } options;
  static constexpr Hook hooks = Hook::on_start;
  void on_start(Trainer&) {}
};
struct Two : One {};
const MitigationCatalogue catalogue = mitigation_catalogue_of(TypeList<One, Two>{});
}  // namespace seawall
