#pragma once
// Preventive steering: training under a push towards the unwanted trait, so that the weights need
// not learn it; without the push at test time.
// Source: Chen et al. 2025, "Persona vectors" (arXiv 2507.21509), sec. 5: alpha 5 at one layer.
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/steering.hpp"

namespace seawall {

/// h_l + alpha v_l after every block, or after `layer` alone; v_l is the mean of h_l where harmful
/// answers are predicted less the same of safe answers, before training.
struct PreventiveSteering {
  static constexpr std::string_view name = "preventive-steering";
  static constexpr std::string_view summary = "Steers towards harm while training, not after.";
  static constexpr Hook hooks = Hook::on_start | Hook::edit;
  static constexpr Need needs = Need::safe_data | Need::harmful_data;
  struct Options {
    double alpha = 5;
    std::int64_t layer = -1, rows = 64;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.alpha, OptionInfo{"alpha", "length of the push in units of v", -1e3, 1e3});
      field(self.layer, OptionInfo{"layer", "block, from 0; -1: all", -1, 1e3});
      field(self.rows, OptionInfo{"rows", "rows of each kind that v is measured on", 1, 1e5});
    }
  } options;

  void on_start(Trainer& trainer) {
    vectors = harm_directions(trainer, options.rows);
    layer_among(vectors.size(), options.layer, "preventive-steering.layer");
  }
  Tensor edit(const TapPoint& point, Tensor x) const {
    const bool here = options.layer == -1 || options.layer == point.layer;
    if (point.kind != TapPoint::Kind::resid_post || !here) return x;
    return x.add(vectors.at(static_cast<std::size_t>(point.layer)).to(x.scalar_type()),
                 options.alpha);
  }

  Tensors vectors;  // per block
};
static_assert(explain<PreventiveSteering>());

}  // namespace seawall
