// expect: catalogue: want a name in kebab-case
#include "seawall/policy/catalogue.hpp"

namespace seawall {
struct Trial {
  static constexpr std::string_view name = "My_Trial", summary = "a probe of the checks";
  static constexpr Need needs = Need::none;
  using Options = NoOptions;
  Options options;
  static constexpr Hook hooks = Hook::on_start;
  void on_start(Trainer&) {}
};
constexpr auto catalogue = mitigation_catalogue_of(TypeList<Trial>{});
}  // namespace seawall
