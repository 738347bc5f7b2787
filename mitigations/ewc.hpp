#pragma once
// Elastic weight consolidation: weights that safe rows depend on are held to the aligned start.
// Source: Kirkpatrick et al. 2017 (arXiv 1612.00796), eq. 3; as a baseline of arXiv 2409.01586
// with lambda 1e9, whose code has no factor 1/2.
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/side_rows.hpp"

namespace seawall {

/// L + lambda sum_i F_i (theta_i - theta0_i)^2, F_i the mean over `rows` safe rows of the squared
/// gradient of the row's mean loss at the start. `fisher mean-one` divides F by its mean, so that
/// the same lambda suits other models. Memory: a copy of the weights.
struct Ewc {
  static constexpr std::string_view name = "ewc";
  static constexpr std::string_view summary = "Holds the weights that safe rows depend on.";
  static constexpr Hook hooks = Hook::on_start | Hook::penalty | Hook::before_step;
  static constexpr Need needs = Need::safe_data | Need::start_weights;
  struct Options {
    double lambda = 1e9;
    std::int64_t rows = 100;
    std::string fisher = "raw";
    static constexpr void visit(auto& self, auto&& field) {
      field(self.lambda, OptionInfo{"lambda", "strength of the pull", 0, 1e15});
      field(self.rows, OptionInfo{"rows", "safe rows that F is measured on", 1, 1e6});
      field(self.fisher, OptionInfo{.name = "fisher",
                                    .help = "F as measured, or divided by its mean",
                                    .choices = "raw|mean-one"});
    }
  } options;

  void on_start(Trainer& trainer) {
    fisher.clear();
    double sum = 0, count = 0;
    for (std::int64_t row = 0; row < options.rows; ++row) {
      const Tensors g =
          trainer.gradient([&] { return next_loss(trainer, Pool::safe, options.rows, 1); });
      for (std::size_t i = 0; i < g.size(); ++i) {
        const Tensor part = g[i].square() / static_cast<double>(options.rows);
        row == 0 ? fisher.push_back(part) : void(fisher[i].add_(part));
      }
    }
    for (const Tensor& f : fisher) sum += f.sum().item<double>(), count += f.numel();
    if (options.fisher == "mean-one" && sum > 0)
      for (const Tensor& f : fisher) f.mul_(count / sum);
  }
  // Value and gradient apart: cheaper than autograd.
  Tensor penalty(Trainer& trainer, const Step&) {
    Tensor sum;
    for (std::size_t i = 0; i < fisher.size(); ++i) {
      const Tensor drift = wide(drift_of(trainer.params()[i]));
      const Tensor term = drift.square().mul(fisher[i]).sum().mul(options.lambda);
      sum = sum.defined() ? sum.add(term) : term;
    }
    return sum;
  }
  void before_step(Trainer& trainer, const Step&) {
    for (std::size_t i = 0; i < fisher.size(); ++i) {
      const Param& param = trainer.params()[i];
      gradient_of(param).add_(wide(drift_of(param)).mul_(fisher[i]), 2 * options.lambda);
    }
  }

  Tensors fisher;
};
static_assert(explain<Ewc>());

}  // namespace seawall
