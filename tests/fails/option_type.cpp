// expect: options: an option is a bool, a std::int64_t, a double or a std::string
#include "seawall/policy/catalogue.hpp"

namespace seawall {
struct Trial {
  static constexpr std::string_view name = "probe", summary = "a probe of the checks";
  static constexpr Hook hooks = Hook::on_start;
  static constexpr Need needs = Need::none;
  struct Options {
    float factor = 1;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.factor, OptionInfo{.name = "factor", .help = "a number"});
    }
  } options;
  void on_start(Trainer&) {}
};
static_assert(explain<Trial>());
}  // namespace seawall
