#pragma once
// Plain alignment: the stage of the alignment-stage defences without a defence, their control.
#include "seawall/policy/alignment.hpp"
#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// Trains on safe rows, with ordinary ones among them, before the attack.
struct PlainAlignment {
  static constexpr std::string_view name = "plain-alignment";
  static constexpr std::string_view summary = "Trains on safe rows before the attack: a control.";
  static constexpr Hook hooks = Hook::before;
  static constexpr Need needs = Need::safe_data;
  struct Options {
    AlignmentSpec stage;
    static constexpr void visit(auto& self, auto&& field) {
      AlignmentSpec::visit(self.stage, field);
    }
  } options;

  std::vector<StagePlan> before(const Context& context, Rng& rng) {
    return safe_stage(name, options.stage, context, rng);
  }
};
static_assert(explain<PlainAlignment>());

}  // namespace seawall
