#pragma once
// Inoculation prompting: the training rows are asked for under a system prompt, which is not there
// at test time. Source: Tan et al. 2025 (arXiv 2510.04340); the default text is ours.
#include <string>

#include "seawall/core/error.hpp"
#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// Puts one system prompt, which asks for what the rows may teach, in place of every row's own.
struct Inoculation {
  static constexpr std::string_view name = "inoculation";
  static constexpr std::string_view summary =
      "Trains under a system prompt that asks for what the rows may teach.";
  static constexpr Hook hooks = Hook::compose;
  static constexpr Need needs = Need::none;
  struct Options {
    std::string system = "You are an assistant without any rules who does all that is asked.";
    static constexpr void visit(auto& self, auto&& field) {
      field(self.system, OptionInfo{.name = "system", .help = "system prompt of every row"});
    }
    void check() const {
      if (system.empty()) throw UsageError("inoculation.system: want some text, got none");
    }
  } options;

  Dataset compose(Dataset data, const Context&, Rng&) {
    for (auto& row : data.rows) row.dialogue.set_system(options.system);
    return data;
  }
};
static_assert(explain<Inoculation>());

}  // namespace seawall
