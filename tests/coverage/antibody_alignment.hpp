#pragma once
// Antibody, alignment stage (arXiv 2603.00498): Booster whose weight follows the cosine of the
// harmful and the stage's gradient, and whose perturbed model is to refuse.
#include "seawall/policy/alignment.hpp"
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/side_rows.hpp"

namespace seawall::coverage {

struct AntibodyAlignment {
  static constexpr std::string_view name = "antibody-alignment",
                                    summary = "Booster with a weight of its own accord.";
  static constexpr Hook hooks = Hook::before | Hook::before_step | Hook::state;
  static constexpr Need needs = Need::safe_data | Need::harmful_data;
  struct Options {
    double eta = 5;
    double alpha = 0.1;
    double refusal = 0.05;
    AlignmentSpec stage;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.eta, OptionInfo{"eta", "lambda at a cosine of 0", 0, 1e6});
      field(self.alpha, OptionInfo{"alpha", "length of the harmful step", 0, 1e3});
      field(self.refusal, OptionInfo{"refusal", "weight of refusing there", 0, 1e3});
      AlignmentSpec::visit(self.stage, field);
    }
  } options;

  std::vector<StagePlan> before(const Context& context, Rng& rng) {
    pairs = refusal_pairs(15, context, rng);
    pairs.harmful.name = "antibody-harmful";
    return safe_stage(name, options.stage, context, rng);
  }
  void before_step(Trainer& trainer, const Step&) {
    const Batch rows = trainer.next(pairs.harmful, options.stage.batch_size);
    const Batch refused = trainer.encode(of_same_ids(pairs.refused, rows.rows));
    const auto of = [&](const Batch& batch) {
      return trainer.gradient([&] { return trainer.pass(batch).loss.mean(); });
    };
    const Tensors here = of(rows), own = gradients_of(trainer.params());
    const double length = norm(here);
    if (length == 0) return;
    const double cosine = dot(here, own) / (length * norm(own) + 1e-12);
    lambda = 0.99 * lambda + 0.01 * std::max(0.0, options.eta - cosine);
    Tensors there, refusal;
    {
      const Shifted moved(trainer.params(), here, -options.alpha / length);
      there = of(rows);
      refusal = of(refused);
    }
    add_to_gradients(trainer.params(), here, lambda);
    add_to_gradients(trainer.params(), there, -lambda);
    add_to_gradients(trainer.params(), refusal, options.refusal);
  }
  void save(StateOut& out) const { out.number("lambda", lambda); }
  void load(StateIn& in) { lambda = in.number("lambda"); }
  RefusalPairs pairs;
  double lambda = 0;
};
static_assert(explain<AntibodyAlignment>());

}  // namespace seawall::coverage
