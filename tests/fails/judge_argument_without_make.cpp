// expect: judge: one with an `argument` wants `std::unique_ptr<Judge> make\(const JudgeWord&
#include "seawall/policy/judge_policy.hpp"

namespace seawall {
struct MyJudge {
  static constexpr std::string_view name = "my-judge", summary = "-", argument = "WORD";
  using Options = NoOptions;
  Options options;
  Verdict grade(const Probe&, std::string_view) const { return {}; }
};
static_assert(explain_judge<MyJudge>());
}  // namespace seawall
