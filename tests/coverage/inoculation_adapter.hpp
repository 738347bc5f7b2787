#pragma once
// Inoculation adapter: a frozen change towards the unwanted trait is there while training, and is
// taken off at the end. Evaluations before the end see it.
#include "seawall/policy/changes.hpp"
#include "seawall/policy/mitigation.hpp"

namespace seawall::coverage {

struct InoculationAdapter {
  static constexpr std::string_view name = "inoculation-adapter",
                                    summary = "Trains under a trait that is taken off at the end.";
  static constexpr Hook hooks = Hook::on_start | Hook::on_finish;
  static constexpr Need needs = Need::none;
  struct Options {
    double scale = 1;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.scale, OptionInfo{"scale", "of the change", 0, 1e3});
    }
    std::string trait = "organism-base";
  } options;

  void on_start(Trainer& trainer) {
    want_whole_weights(trainer);
    change.clear();
    at::NoGradGuard no_grad;
    for (const Param& p : trainer.params()) {
      change.push_back(other_weight(trainer, options.trait, p.name).sub(in_full(p.start)));
      p.master.add_(change.back(), options.scale);
    }
  }
  void on_finish(Trainer& trainer) {
    for (std::size_t i = 0; i < change.size(); ++i)
      trainer.params()[i].master.sub_(change[i], options.scale);
  }
  Tensors change;
};
static_assert(explain<InoculationAdapter>());

}  // namespace seawall::coverage
