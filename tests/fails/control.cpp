// expect: compiles
// The control of this folder: without it, a broken include path would make every other snippet fail
// as well.
#include "seawall/policy/stack.hpp"

namespace seawall {
struct Halve {
  static constexpr std::string_view name = "halve", summary = "halves every weight at the end";
  static constexpr Hook hooks = Hook::on_finish;
  static constexpr Need needs = Need::none;
  struct Options {
    static constexpr void visit(auto&, auto&&) {}
  } options;
  void on_finish(Trainer&) {}
};
static_assert(explain<Halve>());
const Stack stack{Halve{}};
}  // namespace seawall
