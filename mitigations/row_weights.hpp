#pragma once
// Row weights: user rows that are learned at the cost of the weighted loss weigh less.
// Source: BDS (arXiv 2510.27172): 1,000 user and 1,000 safe rows. Deviation: no prior or entropy
// term on the scalars. Under micro-batches of unequal length a row's mean is weighed by its share.
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/side_rows.hpp"

namespace seawall {

/// s + mean_i w_i L_i over the batch, w = N softmax(a), a one scalar for each of the N rows, L_i
/// and s means of rows' means, s over safe rows. After the step a descends mean_i w_i L_i. Rows
/// that later policies add have no scalar: give it last.
struct RowWeights {
  static constexpr std::string_view name = "row-weights";
  static constexpr std::string_view summary = "Learns how much each row of the user weighs.";
  static constexpr Hook hooks = Hook::compose | Hook::on_start | Hook::penalty |
                                Hook::token_weights | Hook::after_step | Hook::state;
  static constexpr Need needs = Need::safe_data;
  struct Options {
    double lr = 0.1;
    std::int64_t rows = 0, batch = 10;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.lr, OptionInfo{"lr", "learning rate of the scalars", 0, 1e6});
      field(self.rows, OptionInfo{"rows", "safe rows; 0: all there are", 0, 1e6});
      field(self.batch, OptionInfo{"batch", "safe rows per step", 1, 1e4});
    }
  } options;

  Dataset compose(Dataset rows, const Context&, Rng&) {
    places.add(rows);
    return rows;
  }
  void on_start(Trainer&) {
    scalars = at::zeros({places.size()}, at::kDouble);
    seen.clear();
  }
  Tensor penalty(Trainer& trainer, const Step&) {
    seen.clear();  // of a step that was left out
    const Batch batch = next_of(trainer, Pool::safe, options.rows, options.batch);
    return row_means(trainer.pass(batch).loss, batch).mean();
  }
  Tensor token_weights(Trainer& trainer, const TokenLosses& tokens) {
    const Batch& user = trainer.user();
    const Tensor which = places.of(user.rows);
    seen.emplace_back(which, row_means(tokens.loss.detach(), user).to(at::kCPU, at::kDouble));
    const Tensor weights = scalars.softmax(0).mul(scalars.size(0)).index_select(0, which);  // [B]
    return token_shares(weights.to(tokens.loss.device(), at::kFloat), tokens);
  }
  void after_step(Trainer&, const Step&) {
    const Tensor share = scalars.softmax(0);  // d(N s_j)/da_k = N s_j ([j = k] - s_k)
    const Tensor down = at::zeros_like(share);
    std::int64_t rows = 0;
    for (const auto& [which, means] : seen) {
      down.index_add_(0, which, share.index_select(0, which).mul(means));
      rows += which.size(0);
    }
    down.sub_(share.mul(down.sum()));
    scalars.sub_(down, options.lr * static_cast<double>(scalars.size(0)) / rows);
  }
  void save(StateOut& out) const { out.tensor("scalars", scalars); }
  void load(StateIn& in) { scalars = in.tensor("scalars").to(at::kDouble); }

  RowPlaces places;
  Tensor scalars;                               // a; [N] fp64
  std::vector<std::pair<Tensor, Tensor>> seen;  // rows of this step, and their mean losses
};
static_assert(explain<RowWeights>());

}  // namespace seawall
