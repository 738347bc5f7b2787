#pragma once
// SafeGrad: the user's gradient without its part against safety, plus the gradient of safety.
// Source: arXiv 2508.07172: 20 safe rows are enough; safety is the divergence from the aligned
// model on them.
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/side_rows.hpp"

namespace seawall {

/// g = g_L - (<g_L, g_s>/||g_s||^2 g_s if <g_L, g_s> < 0) + g_s, g_s the gradient of
/// weight * KL(start || now) on safe rows. While g_s is rounding noise (at the start) nothing is
/// projected. Measures `along` = <g_L, g_s> and `kl`, which is no part of the recorded penalty.
struct Safegrad {
  static constexpr std::string_view name = "safegrad";
  static constexpr std::string_view summary = "Projects off the conflict and adds safety's pull.";
  static constexpr Hook hooks = Hook::before_step;
  static constexpr Need needs = Need::safe_data;
  struct Options {
    double weight = 1;
    std::int64_t rows = 20, batch = 10;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.weight, OptionInfo{"weight", "of the divergence", 0, 1e6});
      field(self.rows, OptionInfo{"rows", "safe rows; 0: all there are", 0, 1e6});
      field(self.batch, OptionInfo{"batch", "safe rows per step", 1, 1e4});
    }
  } options;

  void before_step(Trainer& trainer, const Step&) {
    const Batch batch = next_of(trainer, Pool::safe, options.rows, options.batch);
    double kl = 0;
    const Tensors s = trainer.gradient([&] {
      Tensor value = trainer.kl_to_start(batch, KlDirection::start_now).mul(options.weight);
      kl = value.item<double>();
      return value;
    });
    trainer.measure("along", remove_conflict(trainer.params(), s));
    trainer.measure("kl", kl);
    add_to_gradients(trainer.params(), s);
  }
};
static_assert(explain<Safegrad>());

}  // namespace seawall
