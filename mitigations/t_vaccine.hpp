#pragma once
// T-Vaccine: Vaccine in some blocks only, drawn by how harmful gradients meet them.
// Source: Liu et al. 2024, arXiv 2410.09760.
#include <ATen/ops/zeros.h>

#include "seawall/policy/alignment.hpp"
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/perturbed.hpp"
#include "seawall/policy/place_factors.hpp"

namespace seawall {

/// Every `draw` steps `layers` blocks are drawn without replacement, with p_l = |g_l| / sum |g_l|,
/// g_l the gradient of a harmful batch's loss in the attention output l, asked again every `score`
/// steps. The others stay as they are, and embeddings, head and last norm with them; the authors
/// train LoRA in the attention of the drawn blocks.
struct TVaccine {
  static constexpr std::string_view name = "t-vaccine";
  static constexpr std::string_view summary = "Vaccine in blocks drawn by harmful gradients.";
  static constexpr Hook hooks = Hook::before | Hook::penalty | Hook::around_loss |
                                Hook::before_step | Hook::after_step | Hook::state;
  static constexpr Need needs = Need::safe_data | Need::harmful_data;
  struct Options {
    double rho = 3;
    std::int64_t layers = 0, draw = 20, score = 200, harmful = 200;
    AlignmentSpec stage;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.rho, OptionInfo{"rho", "length of the perturbation", 0, 1e6});
      field(self.layers, OptionInfo{"layers", "blocks that train; 0: one in four", 0, 1e6});
      field(self.draw, OptionInfo{"draw", "steps between draws of blocks", 1, 1e9});
      field(self.score, OptionInfo{"score", "steps between harmful gradients", 1, 1e9});
      field(self.harmful, OptionInfo{"harmful", "harmful rows of the defender", 1, 1e7});
      AlignmentSpec::visit(self.stage, field);
    }
  } options;

  std::vector<StagePlan> before(const Context& context, Rng& rng) {
    return safe_stage(name, options.stage, context, rng);
  }
  Tensor penalty(Trainer& trainer, const Step& step) {  // once a step, before the losses
    if (step.index % options.score == 0) {
      const Dataset& rows = trainer.rows(Pool::harmful, options.harmful);
      scores = attention_norms(trainer, trainer.next(rows, options.stage.batch_size));
    }
    if (step.index % options.draw == 0) active = drawn_by(scores, options.layers, trainer.rng());
    return {};
  }
  bool in(std::int64_t layer) const { return layer >= 0 && active[layer].item<bool>(); }
  Tensor around_loss(Trainer& trainer, const LossFn&) {
    return perturbed_loss(trainer, trainer.user(), options.rho, [&](auto l) { return in(l); });
  }
  void before_step(Trainer& trainer, const Step&) {
    held.take(trainer.params(), [&](const Param& p) { return in(detail::layer_of(p.name)); });
  }
  void after_step(Trainer& trainer, const Step&) { held.put_back(trainer.params()); }
  void save(StateOut& out) const {
    out.tensor("scores", scores);
    out.tensor("active", active);
  }
  void load(StateIn& in) {
    scores = in.tensor("scores");
    active = in.tensor("active");
  }

  Tensor scores = at::zeros({0}, at::kDouble);  // [L]
  Tensor active = at::zeros({0}, at::kBool);
  HeldWeights held;  // of the blocks that were not drawn
};
static_assert(explain<TVaccine>());

}  // namespace seawall
