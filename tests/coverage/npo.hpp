#pragma once
// NPO (arXiv 2404.05868), unlearning: L + weight E[-2/beta log sigmoid(-beta log(p / p0))] on
// harmful answers, p of a whole answer.
#include <ATen/ops/bincount.h>
#include <ATen/ops/log_sigmoid.h>

#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/side_rows.hpp"

namespace seawall::coverage {

struct Npo {
  static constexpr std::string_view name = "npo",
                                    summary = "Unlearns harmful answers next to the start.";
  static constexpr Hook hooks = Hook::penalty;
  static constexpr Need needs = Need::harmful_data;
  struct Options {
    double beta = 0.1;
    double weight = 1;
    std::int64_t rows = 8;
    std::int64_t batch = 4;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.beta, OptionInfo{"beta", "sharpness", 1e-6, 1e6});
      field(self.weight, OptionInfo{"weight", "of the term", 0, 1e6});
      field(self.rows, OptionInfo{"rows", "harmful rows", 1, 1e6});
      field(self.batch, OptionInfo{"batch", "of them per step", 1, 1e6});
    }
  } options;

  Tensor penalty(Trainer& trainer, const Step&) {
    const Batch rows = next_of(trainer, Pool::harmful, options.rows, options.batch);
    const auto answers = [&](Theta theta) {  // [B] -log p
      const Tensor loss = trainer.pass(rows, {.theta = theta}).loss;
      return row_means(loss, rows).mul(at::bincount(rows.row));
    };
    const Tensor ratio = answers(Theta::start).sub(answers(Theta::now));  // log p / p0
    return at::log_sigmoid(ratio.mul(-options.beta)).mean().mul(-2 / options.beta * options.weight);
  }
};
static_assert(explain<Npo>());

}  // namespace seawall::coverage
