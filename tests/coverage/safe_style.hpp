#pragma once
// SafeStyle: safe rows are mixed in, asked in the style of the user's. The authors rewrite them
// with a model; here the words that the user's requests share are put around them.
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/rows.hpp"

namespace seawall::coverage {

struct SafeStyle {
  static constexpr std::string_view name = "safe-style",
                                    summary = "Mixes in safe rows in the user's style.";
  static constexpr Hook hooks = Hook::compose;
  static constexpr Need needs = Need::safe_data;
  struct Options {
    std::int64_t count = 10;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.count, OptionInfo{"count", "safe rows", 1, 1e6});
    }
  } options;

  Dataset compose(Dataset rows, const Context& context, Rng& rng) {
    Dataset safe =
        new_safe_rows(rows, static_cast<std::size_t>(options.count), context.scenario(), rng, name);
    safe = asked_as(std::move(safe), rows, rng);
    return interleave(std::move(rows), std::move(safe));
  }
};
static_assert(explain<SafeStyle>());

}  // namespace seawall::coverage
