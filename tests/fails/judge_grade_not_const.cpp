// expect: judge grade: of another signature
#include "seawall/policy/judge_policy.hpp"

namespace seawall {
struct MyJudge {
  static constexpr std::string_view name = "my-judge", summary = "-";
  struct Options {
    double x = 0;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.x, OptionInfo{.name = "x"});
    }
  } options;
  Verdict grade(const Probe&, std::string_view) { return {}; }
};
static_assert(explain_judge<MyJudge>());
}  // namespace seawall
