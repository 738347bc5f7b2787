#pragma once
// Antibody, fine-tuning stage (arXiv 2603.00498): a row weighs more the less likely its refusal is
// next to its answer. tau 1.
#include "seawall/policy/alignment.hpp"
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/side_rows.hpp"

namespace seawall::coverage {

struct AntibodyWeights {
  static constexpr std::string_view name = "antibody-weights",
                                    summary = "Weighs rows by how unlikely a refusal is.";
  static constexpr Hook hooks = Hook::token_weights;
  static constexpr Need needs = Need::safe_data;
  struct Options {
    double tau = 1;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.tau, OptionInfo{"tau", "temperature", 1e-6, 1e6});
    }
  } options;

  Tensor token_weights(Trainer& trainer, const TokenLosses& t) {
    at::NoGradGuard no_grad;
    const Batch& user = trainer.user();
    const Dataset& safe = trainer.rows(Pool::safe, 0);
    Dataset refused = answered({"refused", user.rows}, general_answers(safe), RowKind::safe, safe);
    const Batch pairs = trainer.encode(refused);
    const Tensor gap = row_means(trainer.pass(pairs).loss, pairs).sub(row_means(t.loss, user));
    const Tensor weights = gap.div(options.tau).softmax(0);
    return token_shares(weights.mul(weights.size(0)), t);
  }
};
static_assert(explain<AntibodyWeights>());

}  // namespace seawall::coverage
