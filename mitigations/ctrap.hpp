#pragma once
// CTRAP: an alignment that leads a harmful step into collapse, where one token answers everything.
// Source: Yi et al. 2025, arXiv 2505.16559.
#include "seawall/policy/alignment.hpp"
#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// g_s + lambda grad(-log p(token) at every target) at theta - alpha g_h / |g_h|, first order: h
/// harmful rows, the collapse on ordinary ones.
struct Ctrap {
  static constexpr std::string_view name = "ctrap";
  static constexpr std::string_view summary = "Aligns so that a harmful step ruins the model.";
  static constexpr Hook hooks = Hook::before | Hook::before_step;
  static constexpr Need needs = Need::safe_data | Need::harmful_data | Need::benign_data;
  struct Options {
    double lambda = 0.1, alpha = 0.1;
    std::int64_t token = 0, harmful = 200, general = 200;
    AlignmentSpec stage;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.lambda, OptionInfo{"lambda", "weight of the collapse", 0, 1e6});
      field(self.alpha, OptionInfo{"alpha", "length of the harmful step", 0, 1e3});
      field(self.token, OptionInfo{"token", "id of the token that is to answer", 0, 1e9});
      field(self.harmful, OptionInfo{"harmful", "harmful rows of the defender", 1, 1e7});
      field(self.general, OptionInfo{"general", "ordinary rows for the collapse", 1, 1e7});
      AlignmentSpec::visit(self.stage, field);
    }
  } options;

  std::vector<StagePlan> before(const Context& context, Rng& rng) {
    return safe_stage(name, options.stage, context, rng);
  }
  void before_step(Trainer& trainer, const Step&) {
    const auto next = [&](Pool pool, std::int64_t count) {
      return trainer.next(trainer.rows(pool, count), options.stage.batch_size);
    };
    const Batch harmful = next(Pool::harmful, options.harmful);
    const Batch general = next(Pool::benign, options.general);
    const Tensors g = trainer.gradient([&] { return trainer.pass(harmful).loss.mean(); });
    const double length = norm(g);
    trainer.measure("harmful-norm", length);
    if (length == 0) return;
    Tensors there;
    {
      const Shifted moved(trainer.params(), g, -options.alpha / length);
      there = trainer.gradient([&] {
        const Tensor logits = trainer.pass(general, {.logits = true}).logits.to(at::kFloat);
        Tensor collapse = logits.log_softmax(-1).select(1, options.token).mean().neg();
        trainer.measure("collapse", collapse.item<double>());
        return collapse;
      });
    }
    add_to_gradients(trainer.params(), there, options.lambda);
  }
};
static_assert(explain<Ctrap>());

}  // namespace seawall
