// expect: hook edit: defined, but not declared; add Hook::edit to `hooks`
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

 private:  // neither overloads, templates, nor access hide a hook
  template <class T>
  T edit(T x) const {
    return x;
  }
  int edit(int, int) const { return 0; }
};
static_assert(explain<Trial>());
}  // namespace seawall
