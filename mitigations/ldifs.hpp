#pragma once
// LDIFS: features of the user's rows may not move far from the aligned model's.
// Source: Mukhoti et al. 2023 (arXiv 2308.13320), eq. 3; on MLP outputs with rho/2 in Booster's
// repository (arXiv 2409.01586), on every fifth residual stream in arXiv 2508.06249.
#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// L + rho/2 sum_l mean_t ||h_lt - h0_lt||^2 over the places t that predict a target: summed over
/// the width and over the layers l, h0 under the weights before training. The papers leave the
/// scale of rho open, which the width and the tap decide.
struct Ldifs {
  static constexpr std::string_view name = "ldifs";
  static constexpr std::string_view summary = "Holds hidden states near the aligned model's.";
  static constexpr Hook hooks = Hook::around_loss;
  static constexpr Need needs = Need::none;
  struct Options {
    double rho = 0.1;
    std::string at = "mlp";
    std::int64_t every = 1;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.rho, OptionInfo{"rho", "strength", 0, 1e6});
      field(self.at, OptionInfo{.name = "at",
                                .help = "outputs of MLPs, or the residual stream after blocks",
                                .choices = "mlp|residual"});
      field(self.every, OptionInfo{"every", "every so many layers, the last of each", 1, 1e3});
    }
  } options;

  Tensor around_loss(Trainer& trainer, const LossFn& loss) {
    const Taps taps = options.at == "mlp" ? TapPoint::Kind::mlp_out : TapPoint::Kind::resid_post;
    const Batch& user = trainer.user();
    const Pass start = trainer.pass(user, {.theta = Theta::start, .taps = taps});
    const Pass now = trainer.pass(user, {.taps = taps});
    Tensor total = loss();
    for (const auto& [point, h0] : start.taps) {
      if ((point.layer + 1) % options.every != 0) continue;
      const Tensor far = now.tap(point).sub(h0).index_select(0, user.source);  // [N,C]
      total = total.add(far.to(total.scalar_type()).square().sum(-1).mean(), options.rho / 2);
    }
    return total;
  }
};
static_assert(explain<Ldifs>());

}  // namespace seawall
