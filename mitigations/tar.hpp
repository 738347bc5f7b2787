#pragma once
// TAR: an alignment that stays unsure of harmful answers while an attacker trains on them.
// Source: Tamirisa et al. 2024, arXiv 2408.00761.
#include "seawall/policy/adversary.hpp"
#include "seawall/policy/alignment.hpp"
#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// The stage's gradient + scale mean_k grad TR(theta_k), theta_k after k steps of an attacker on
/// harmful rows, TR minus the entropy on a batch held out from it; first order. The authors: 64
/// inner steps, several attackers, and the retained rows' hidden states held besides their loss.
struct Tar {
  static constexpr std::string_view name = "tar";
  static constexpr std::string_view summary = "Aligns against a simulated attack (first order).";
  static constexpr Hook hooks = Hook::before | Hook::before_step;
  static constexpr Need needs = Need::safe_data | Need::harmful_data;
  struct Options {
    double scale = 4, inner_lr = 0;
    std::int64_t inner = 4, harmful = 200;
    AlignmentSpec stage;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.scale, OptionInfo{"scale", "weight of the resistance", 0, 1e6});
      field(self.inner, OptionInfo{"inner", "steps of the attacker", 1, 1e6});
      field(self.inner_lr, OptionInfo{"inner-lr", "its rate; 0: the scenario's attacks'", 0, 1});
      field(self.harmful, OptionInfo{"harmful", "harmful rows of the defender", 2, 1e7});
      AlignmentSpec::visit(self.stage, field);
    }
  } options;

  std::vector<StagePlan> before(const Context& context, Rng& rng) {
    return safe_stage(name, options.stage, context, rng);
  }
  void before_step(Trainer& trainer, const Step&) {
    const Dataset& rows = trainer.rows(Pool::harmful, options.harmful);
    std::vector<Batch> batches;
    for (std::int64_t k = 0; k <= options.inner; ++k)
      batches.push_back(trainer.next(rows, options.stage.batch_size));
    const double lr =
        options.inner_lr > 0 ? options.inner_lr : trainer.scenario().defaults(Pool::harmful, "").lr;
    Adversary attacker(trainer, lr);
    double resisted = 0;
    for (std::int64_t k = 0; k < options.inner; ++k) {
      attacker.step([&] { return trainer.pass(batches[k]).loss.mean(); });
      const Tensors g = attacker.gradient([&] {
        const Tensor p = trainer.pass(batches.back(), {.logits = true}).logits.log_softmax(-1);
        Tensor resistance = p.exp().mul(p).sum(-1).mean();
        resisted += resistance.item<double>() / static_cast<double>(options.inner);
        return resistance;
      });
      add_to_gradients(trainer.params(), g, options.scale / static_cast<double>(options.inner));
    }
    trainer.measure("tamper", resisted);
  }
};
static_assert(explain<Tar>());

}  // namespace seawall
