#pragma once
// Activation steering: the answers of the trained model are pushed away from harm at test time.
// Source: Rimsky et al. 2024, "Steering Llama 2 via contrastive activation addition" (arXiv
// 2312.06681). The defaults are ours.
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/side_rows.hpp"
#include "seawall/policy/steering.hpp"

namespace seawall {

/// h_l + alpha v_l at every place while answering, l one block (-1: the middle one); v_l the mean
/// of h_l where harmful answers are predicted less that of safe answers, at theta0. Deviation: the
/// paper takes the two answers to one question, at the letter that is chosen.
struct ActivationSteering {
  static constexpr std::string_view name = "activation-steering";
  static constexpr std::string_view summary = "Steers away from harm while answering.";
  static constexpr Hook hooks = Hook::on_start | Hook::steer | Hook::state;
  static constexpr Need needs = Need::safe_data | Need::harmful_data;
  struct Options {
    double alpha = -1;
    std::int64_t layer = -1, rows = 64;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.alpha, OptionInfo{"alpha", "length of the push in units of v", -1e3, 1e3});
      field(self.layer, OptionInfo{"layer", "block, from 0; -1: the middle one", -1, 1e3});
      field(self.rows, OptionInfo{"rows", "rows of each kind that v is measured on", 1, 1e5});
    }
  } options;

  void on_start(Trainer& trainer) {
    const Tensors all = harm_directions(trainer, options.rows);
    layer = layer_among(all.size(), options.layer, "activation-steering.layer");
    vector = all[static_cast<std::size_t>(layer)];
  }
  Tensor steer(const TapPoint& point, Tensor x) const {
    if (point.kind != TapPoint::Kind::resid_post || point.layer != layer) return x;
    return x.add(vector.to(x.options()), options.alpha);
  }
  void save(StateOut& out) const {
    out.tensor("vector", vector);
    out.number("layer", static_cast<double>(layer));
  }
  void load(StateIn& in) {
    vector = in.tensor("vector");
    layer = static_cast<std::int64_t>(in.number("layer"));
  }

  Tensor vector;  // [C]
  std::int64_t layer = 0;
};
static_assert(explain<ActivationSteering>());

}  // namespace seawall
