#pragma once
// OASIS: Vaccine, with two changes. The perturbation loses its part along the harmful gradient, and
// only the most sensitive blocks are perturbed and trained. rho 3.
#include <ATen/ops/zeros.h>

#include "seawall/policy/alignment.hpp"
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/perturbed.hpp"
#include "seawall/policy/place_factors.hpp"
#include "seawall/policy/side_rows.hpp"

namespace seawall::coverage {

struct Oasis {
  static constexpr std::string_view name = "oasis",
                                    summary = "Vaccine without the harmful direction.";
  static constexpr Hook hooks = Hook::before | Hook::penalty | Hook::around_loss |
                                Hook::before_step | Hook::after_step | Hook::state;
  static constexpr Need needs = Need::safe_data | Need::harmful_data;
  struct Options {
    double rho = 3;
    std::int64_t blocks = 1;
    std::int64_t refresh = 100;
    AlignmentSpec stage;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.rho, OptionInfo{"rho", "length of the perturbation", 0, 1e6});
      field(self.blocks, OptionInfo{"blocks", "that are perturbed and trained", 1, 1e3});
      field(self.refresh, OptionInfo{"refresh", "steps between harmful gradients", 1, 1e9});
      AlignmentSpec::visit(self.stage, field);
    }
  } options;

  std::vector<StagePlan> before(const Context& context, Rng& rng) {
    return safe_stage(name, options.stage, context, rng);
  }
  Tensor penalty(Trainer& trainer, const Step& step) {
    if (step.index % options.refresh != 0) return {};
    const Batch rows = next_of(trainer, Pool::harmful, 15, options.stage.batch_size);
    const Tensors g = attention_gradients(trainer, rows, [](auto) { return true; });
    const Tensor scores = norms_of(g);
    const auto most = std::get<1>(scores.topk(std::min(options.blocks, scores.size(0))));
    active = at::zeros_like(scores, at::kBool).index_fill_(0, most, 1);
    harm.clear();
    for (const Tensor& one : g) harm.push_back(one.mean(0));  // [C]
    return {};
  }
  bool in(std::int64_t layer) const { return layer >= 0 && active[layer].item<bool>(); }
  Tensor around_loss(Trainer& trainer, const LossFn&) {
    const auto here = [&](std::int64_t layer) { return in(layer); };
    const Tensors g = attention_gradients(trainer, trainer.user(), here);
    const double scale = options.rho / (norms_of(g).norm().item<double>() + 1e-7);
    std::size_t next = 0;
    const auto move = [&](const TapPoint& point, const Tensor& x) {
      if (!in(point.layer)) return x;
      const Tensor h = harm[static_cast<std::size_t>(point.layer)];
      const Tensor unit = h.div(h.norm().add(1e-12)), one = g.at(next++);
      return x.add(one.sub(one.matmul(unit).unsqueeze(-1).mul(unit)), scale);
    };
    return trainer.pass(trainer.user(), {.edit = move, .edits = TapPoint::Kind::attn_out})
        .loss.mean();
  }
  void before_step(Trainer& trainer, const Step&) {
    held.take(trainer.params(), [&](const Param& p) { return in(detail::layer_of(p.name)); });
  }
  void after_step(Trainer& trainer, const Step&) { held.put_back(trainer.params()); }
  void save(StateOut& out) const {
    out.tensor("active", active);
    save_list(out, "harm", harm);
  }
  void load(StateIn& in) {
    active = in.tensor("active");
    harm = load_list(in, "harm");
  }
  Tensor active = at::zeros({0}, at::kBool);  // [L]
  Tensors harm;                               // mean harmful gradient of each block
  HeldWeights held;
};
static_assert(explain<Oasis>());

}  // namespace seawall::coverage
