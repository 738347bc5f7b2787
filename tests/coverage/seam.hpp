#pragma once
// SEAM: harmful training is to undo benign behaviour: -log(1 + CE(harm)) + alpha CE(refusal) +
// beta cos(g_harm, g_benign), the last one's gradient by finite differences. Deviation: CE at the
// head alone, not at the lens of every block.
#include "seawall/policy/alignment.hpp"
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/side_rows.hpp"

namespace seawall::coverage {

struct Seam {
  static constexpr std::string_view name = "seam",
                                    summary = "Couples harmful and benign gradients.";
  static constexpr Hook hooks = Hook::before | Hook::before_step;
  static constexpr Need needs = Need::safe_data | Need::harmful_data | Need::benign_data;
  struct Options {
    double alpha = 1;
    double beta = 0.01;
    double epsilon = 1e-3;
    AlignmentSpec stage;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.alpha, OptionInfo{"alpha", "weight of the refusals", 0, 1e6});
      field(self.beta, OptionInfo{"beta", "weight of the cosine", 0, 1e6});
      field(self.epsilon, OptionInfo{"epsilon", "of the finite difference", 1e-9, 1});
      AlignmentSpec::visit(self.stage, field);
    }
  } options;

  std::vector<StagePlan> before(const Context& context, Rng& rng) {
    return safe_stage(name, options.stage, context, rng);  // its own loss are the refusals
  }
  void before_step(Trainer& trainer, const Step&) {
    const auto size = options.stage.batch_size;
    const Batch harm = next_of(trainer, Pool::harmful, 15, size),
                benign = next_of(trainer, Pool::benign, 15, size);
    const auto of = [&](const Batch& batch) {
      return trainer.gradient([&] { return trainer.pass(batch).loss.mean(); });
    };
    for (const Param& p : trainer.params()) gradient_of(p).mul_(options.alpha);
    add_to_gradients(trainer.params(), trainer.gradient([&] {
      return trainer.pass(harm).loss.mean().add(1).log().neg();
    }));
    const Tensors a = of(harm), b = of(benign);
    const double na = norm(a), nb = norm(b), cosine = dot(a, b) / (na * nb + 1e-12);
    // d cos = H_a (b/(|a||b|) - cos a/|a|^2) + H_b (a/(|a||b|) - cos b/|b|^2), H v by differences.
    const auto bend = [&](const Batch& batch, const Tensors& g, double own, const Tensors& to) {
      Tensors v;
      for (std::size_t i = 0; i < g.size(); ++i)
        v.push_back(to[i].div(na * nb).sub(g[i], cosine / (own * own)));
      const double step = options.epsilon / (norm(v) + 1e-12);
      Tensors there;
      {
        const Shifted moved(trainer.params(), v, step);
        there = of(batch);
      }
      add_to_gradients(trainer.params(), there, options.beta / step);
      add_to_gradients(trainer.params(), g, -options.beta / step);
    };
    bend(harm, a, na, b);
    bend(benign, b, nb, a);
    trainer.measure("cosine", cosine);
  }
};
static_assert(explain<Seam>());

}  // namespace seawall::coverage
