#pragma once
// RESTA: a safety vector is added to the fine-tuned weights.
// Source: Bhardwaj et al. 2024, "Language models are Homer Simpson!", arXiv 2402.11746, eq. 3.
#include "seawall/policy/changes.hpp"
#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// After training, theta += gamma * (theta0 - theta_unaligned). The paper's unaligned model is the
/// aligned one fine-tuned on harmful rows (an exported run of harmful-examples, say); `base` may as
/// well be the model before it was aligned, as the default is. Deviation: no dropping (DARE) of the
/// vector's entries.
struct Resta {
  static constexpr std::string_view name = "resta";
  static constexpr std::string_view summary = "Adds a safety vector to the weights after training.";
  static constexpr Hook hooks = Hook::on_start | Hook::on_finish;
  static constexpr Need needs = Need::start_weights;
  struct Options {
    double gamma = 1;  // sec. 4
    std::string base = "organism-base";
    static constexpr void visit(auto& self, auto&& field) {
      field(self.gamma, OptionInfo{"gamma", "length of the vector", 0, 100});
      field(self.base, OptionInfo{"base", "unaligned model: a folder, or a word"});
    }
  } options;

  void on_start(Trainer& trainer) { want_whole_weights(trainer); }
  void on_finish(Trainer& trainer) {
    for (const Param& p : trainer.params())
      p.master.add_(in_full(p.start).sub(other_weight(trainer, options.base, p.name)),
                    options.gamma);
  }
};
static_assert(explain<Resta>());

}  // namespace seawall
