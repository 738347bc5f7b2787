#pragma once
// SDD, self-degraded defence: harmful requests with good answers to other questions.
// Source: Chen et al. 2025, arXiv 2507.21182.
#include "seawall/policy/alignment.hpp"
#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// Trains on harmful requests, each with the answer of an ordinary row drawn for it. The authors
/// choose answers of little likeness to the request by embeddings; here chance does.
struct Sdd {
  static constexpr std::string_view name = "sdd";
  static constexpr std::string_view summary = "Aligns on harmful requests with unrelated answers.";
  static constexpr Hook hooks = Hook::before;
  static constexpr Need needs = Need::harmful_data | Need::benign_data;
  struct Options {
    AlignmentSpec stage;
    static constexpr void visit(auto& self, auto&& field) {
      AlignmentSpec::visit(self.stage, field);
    }
  } options;

  std::vector<StagePlan> before(const Context& context, Rng& rng) {
    const Dataset requests = context.unused_rows(Pool::harmful, options.stage.count, rng);
    std::vector<std::string> answers;
    for (const Example& row : context.unused_rows(Pool::benign, 0, rng).rows)
      answers.emplace_back(row.dialogue.last(Role::assistant));
    return alignment_stage(name, options.stage, answered(requests, answers, RowKind::safe), context,
                           rng);
  }
};
static_assert(explain<Sdd>());

}  // namespace seawall
