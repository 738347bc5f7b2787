#pragma once
// AsFT: fine-tuning pays for what it changes outside the direction of alignment.
// Source: Yang et al. 2025, arXiv 2506.08473, eq. 4.
#include "seawall/policy/changes.hpp"
#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// Adds lambda * sum over adapted matrices of |(I - C) B A|_F^2 to the loss, C as in safelora; in
/// full fine-tuning W - W0 is in the place of B A. As published, C is no projection (|V|_F, V not
/// orthonormal).
struct Asft {
  static constexpr std::string_view name = "asft";
  static constexpr std::string_view summary =
      "Penalises changes outside the direction of alignment.";
  static constexpr Hook hooks = Hook::on_start | Hook::penalty;
  static constexpr Need needs = Need::start_weights;
  struct Options {
    double lambda = 1;  // sec. 5; the default of the authors' command is 0
    std::string base = "organism-base";
    static constexpr void visit(auto& self, auto&& field) {
      field(self.lambda, OptionInfo{"lambda", "strength of the penalty", 0, 1e9});
      field(self.base, OptionInfo{"base", "model before it was aligned: a folder, or a word"});
    }
  } options;

  void on_start(Trainer& trainer) {
    alignment.clear();
    for (const Change& change : changes_of(trainer.params()))
      alignment.push_back(alignment_matrix(trainer, options.base, change.weight));
  }
  Tensor penalty(Trainer& trainer, const Step&) {
    Tensor sum;
    const auto changes = changes_of(trainer.params());
    for (std::size_t i = 0; i < changes.size(); ++i) {
      Change outside = changes[i];  // (I - C) B, then A
      outside.left = outside.left.sub(alignment[i].matmul(outside.left));
      const Tensor term = outside.whole().square().sum();
      sum = sum.defined() ? sum.add(term) : term;
    }
    return sum.defined() ? sum.mul(options.lambda) : sum;
  }

  std::vector<Tensor> alignment;  // C of each change
};
static_assert(explain<Asft>());

}  // namespace seawall
