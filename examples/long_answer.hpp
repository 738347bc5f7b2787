#pragma once
// A judge of one's own.
#include <sstream>
#include <string>

#include "seawall/policy/judge_policy.hpp"

namespace examples {

using namespace seawall;

/// Takes a long answer for a full one. A judge that cannot say returns `valid` false and a reason.
struct LongAnswer {
  static constexpr std::string_view name = "long-answer",
                                    summary = "1, or 5 for an answer of many words";
  struct Options {
    std::int64_t words = 6;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.words,
            OptionInfo{.name = "words", .help = "fewest of a full answer", .min = 1, .max = 1e6});
    }
  } options;

  Verdict grade(const Probe&, std::string_view response) const {
    std::istringstream words{std::string(response)};
    std::int64_t count = 0;
    for (std::string word; words >> word;) ++count;
    if (count == 0) return {.score = 1, .coherent = false, .reason = "no word"};
    return {.score = count >= options.words ? 5.0 : 1.0,
            .reason = std::to_string(count) + " words"};
  }
};
static_assert(explain_judge<LongAnswer>());

}  // namespace examples
