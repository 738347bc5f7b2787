#pragma once
// Neuron masks: the MLP neurons that safe answers depend on most are not trained.
// Source: Wei et al. 2024 (arXiv 2402.05162), sec. 3.1: the SNIP score |W dL/dW|, here summed over
// a neuron's weights; they freeze such neurons in sec. 5. Exact without weight decay only.
#include <set>

#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/neurons.hpp"
#include "seawall/policy/side_rows.hpp"

namespace seawall {

/// The gradient of the masked neurons is 0 at every step: the `fraction` of each layer with the
/// highest mean score over `rows` safe rows before training (one at least), or those of `neurons`.
struct NeuronMasks {
  static constexpr std::string_view name = "neuron-masks";
  static constexpr std::string_view summary = "Freezes the neurons that safe rows depend on.";
  static constexpr Hook hooks = Hook::on_start | Hook::before_step;
  static constexpr Need needs = Need::safe_data;
  struct Options {
    double fraction = 0.1;
    std::int64_t rows = 32;
    std::string neurons;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.fraction, OptionInfo{"fraction", "of the neurons of each layer", 0, 1});
      field(self.rows, OptionInfo{"rows", "safe rows that scores are measured on", 1, 1e5});
      field(self.neurons, OptionInfo{"neurons", "LAYER:NEURON, ...; empty: by score"});
    }
    void check() const { neurons_from("neuron-masks.neurons", neurons); }
  } options;

  void on_start(Trainer& trainer) {
    masked = neurons_from("neuron-masks.neurons", options.neurons);
    if (masked.empty()) masked = highest(trainer);
    std::set<long> found;
    for (const Param& p : trainer.params())
      if (neurons_of(p, masked).defined()) found.insert(detail::layer_of(p.name));
    if (found.size() < masked.size() || found.empty())
      throw UsageError("finds no MLP weights to mask in some layer; it needs full fine-tuning");
  }
  void before_step(Trainer& trainer, const Step&) {
    for (const Param& p : trainer.params())
      if (const Tensor which = neurons_of(p, masked); which.defined())
        gradient_of(p).index_fill_(neuron_dimension(p.name), which, 0);
  }
  Neurons highest(Trainer& trainer) const {
    std::map<long, Tensor> scores;
    for (std::int64_t row = 0; row < options.rows; ++row)
      add_scores(scores, trainer.params(),
                 trainer.gradient([&] { return next_loss(trainer, Pool::safe, options.rows, 1); }));
    Neurons out;
    for (const auto& [layer, score] : scores) {
      const auto count = std::llround(options.fraction * static_cast<double>(score.size(0)));
      const Tensor top = std::get<1>(score.topk(std::max<std::int64_t>(count, 1))).cpu();
      for (std::int64_t i = 0; i < top.size(0); ++i)
        out[layer].push_back(top[i].item<std::int64_t>());
    }
    return out;
  }

  Neurons masked;
};
static_assert(explain<NeuronMasks>());

}  // namespace seawall
