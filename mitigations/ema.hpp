#pragma once
// Exponential moving average: the running mean of the weights is what is shipped.
// Source: arXiv 2508.12531 (safety in benign fine-tuning from an optimization perspective).
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/side_rows.hpp"

namespace seawall {

/// e <- decay e + (1 - decay) theta after each step, e = theta0 at the start; after the last step
/// the weights become e. Evaluations before the end see the trained weights. Memory: a copy of
/// the weights in fp32.
struct Ema {
  static constexpr std::string_view name = "ema";
  static constexpr std::string_view summary = "Ships the running mean of the weights.";
  static constexpr Hook hooks = Hook::on_start | Hook::after_step | Hook::on_finish | Hook::state;
  static constexpr Need needs = Need::none;
  struct Options {
    double decay = 0.25;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.decay, OptionInfo{"decay", "share of the mean that a step leaves", 0, 1});
    }
  } options;

  void on_start(Trainer& trainer) {
    mean.clear();
    for (const Param& param : trainer.params()) mean.push_back(wide(param.master.detach()).clone());
  }
  void after_step(Trainer& trainer, const Step&) {
    for (std::size_t i = 0; i < mean.size(); ++i)
      mean[i].mul_(options.decay).add_(trainer.params()[i].master, 1 - options.decay);
  }
  void on_finish(Trainer& trainer) {
    for (std::size_t i = 0; i < mean.size(); ++i) trainer.params()[i].master.copy_(mean[i]);
  }
  void save(StateOut& out) const { save_list(out, "mean", mean); }
  void load(StateIn& in) {  // onto the device where on_start put it
    const Tensors saved = load_list(in, "mean");
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i].copy_(saved.at(i));
  }

  Tensors mean;
};
static_assert(explain<Ema>());

}  // namespace seawall
