#pragma once
// Vaccine: an alignment that holds while the attention outputs are moved against it.
// Source: Huang, Hu and Liu 2024, arXiv 2402.01109.
#include "seawall/policy/alignment.hpp"
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/perturbed.hpp"

namespace seawall {

/// Each loss is taken at h_l + rho g_l / |(g_1 .. g_L)|, h_l the attention output of block l and
/// g_l the loss's gradient there. Two passes. A prompt's beginning that rows of a batch share is
/// moved once for all of them, where the authors move it in each row.
struct Vaccine {
  static constexpr std::string_view name = "vaccine";
  static constexpr std::string_view summary = "Aligns under perturbed attention outputs.";
  static constexpr Hook hooks = Hook::before | Hook::around_loss;
  static constexpr Need needs = Need::safe_data;
  struct Options {
    double rho = 2;
    AlignmentSpec stage;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.rho, OptionInfo{"rho", "length of the perturbation", 0, 1e6});
      AlignmentSpec::visit(self.stage, field);
    }
  } options;

  std::vector<StagePlan> before(const Context& context, Rng& rng) {
    return safe_stage(name, options.stage, context, rng);
  }
  Tensor around_loss(Trainer& trainer, const LossFn&) {
    return perturbed_loss(trainer, trainer.user(), options.rho, [](std::int64_t) { return true; });
  }
};
static_assert(explain<Vaccine>());

}  // namespace seawall
