#pragma once
// LookAhead tuning, real form (arXiv 2503.19041): the request ends with the first words of the
// answer, which stays as it is. The authors count tokens.
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/rows.hpp"

namespace seawall::coverage {

struct LookaheadReal {
  static constexpr std::string_view name = "lookahead-real",
                                    summary = "Shows how the answer begins.";
  static constexpr Hook hooks = Hook::compose;
  static constexpr Need needs = Need::none;
  struct Options {
    std::int64_t words = 6;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.words, OptionInfo{"words", "m", 1, 1e4});
    }
  } options;

  Dataset compose(Dataset rows, const Context&, Rng&) {
    for (Example& row : rows.rows) {
      const std::string answer(row.dialogue.last(Role::assistant));
      std::size_t end = 0;
      for (std::int64_t w = 0; w < options.words && end != answer.npos; ++w)
        end = answer.find(' ', end == 0 ? 0 : end + 1);
      row.dialogue = wrap_request(std::move(row.dialogue), "", " " + answer.substr(0, end));
    }
    return rows;
  }
};
static_assert(explain<LookaheadReal>());

}  // namespace seawall::coverage
