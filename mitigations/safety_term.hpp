#pragma once
// A term for safe rows in the loss of every step, one batch of them each.
// Source: VLGuard's mixed fine-tuning (arXiv 2402.02207) as a baseline of arXiv 2409.01586, there
// with lambda 1e-3 and more.
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/side_rows.hpp"

namespace seawall {

/// L + lambda s, s the mean loss over the targets of a batch of safe rows. Unlike safety-mixing it
/// weighs them apart from the user's rows, whatever their lengths.
struct SafetyTerm {
  static constexpr std::string_view name = "safety-term";
  static constexpr std::string_view summary = "Adds the loss of safe rows to every step.";
  static constexpr Hook hooks = Hook::penalty;
  static constexpr Need needs = Need::safe_data;
  struct Options {
    double lambda = 0.1;
    std::int64_t rows = 100, batch = 10;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.lambda, OptionInfo{"lambda", "weight of the safe rows", 0, 1e6});
      field(self.rows, OptionInfo{"rows", "safe rows; 0: all there are", 0, 1e6});
      field(self.batch, OptionInfo{"batch", "safe rows per step", 1, 1e4});
    }
  } options;

  Tensor penalty(Trainer& trainer, const Step&) {
    return next_loss(trainer, Pool::safe, options.rows, options.batch).mul(options.lambda);
  }
};
static_assert(explain<SafetyTerm>());

}  // namespace seawall
