#pragma once
// An attack with a body: what it is, here; what it does, in hidden_rows.cpp.
#include "seawall/policy/attack.hpp"

namespace examples {

using namespace seawall;

/// Fine-tunes on a few explicitly harmful rows, spread evenly among ordinary ones.
struct HiddenRows {
  static constexpr std::string_view name = "hidden-rows",
                                    summary = "Hides a few harmful rows among ordinary ones.";
  static constexpr Need needs = Need::harmful_data | Need::benign_data;
  struct Options {
    std::int64_t harmful = 10, benign = 190;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.harmful,
            OptionInfo{.name = "harmful", .help = "rows that are hidden", .min = 1, .max = 1e7});
      field(
          self.benign,
          OptionInfo{.name = "benign", .help = "ordinary rows around them", .min = 0, .max = 1e7});
    }
  } options;

  Dataset craft(const Context& context, Rng& rng) const;
};
static_assert(explain_attack<HiddenRows>());

}  // namespace examples
