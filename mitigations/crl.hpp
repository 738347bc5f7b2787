#pragma once
// Contrastive representation learning: harmful rows are pulled together and away from where they
// were, the others are kept away from them and held where they were.
// Source: Simko et al. 2025, arXiv 2506.11938. The margins are TamperBench's, for normalised
// states; the paper's 500 and 1,500 are for raw ones. The two weights are ours.
#include "seawall/policy/alignment.hpp"
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/streams.hpp"

namespace seawall {

/// The stage's loss + safe mean ReLU(d(h, h0) - d(h, c) + m_s) on its rows + harmful mean
/// ReLU(d(h, c) - d(h, h0) + m_h) on harmful rows: h what a block gives where an answer token is
/// predicted, h0 under theta0, c the mean of h over the harmful batch, d the L2 distance.
/// Deviation: the stage's loss in place of the KL term; no attack modules.
struct Crl {
  static constexpr std::string_view name = "crl";
  static constexpr std::string_view summary = "Separates harmful hidden states before the attack.";
  static constexpr Hook hooks = Hook::before | Hook::penalty | Hook::around_loss;
  static constexpr Need needs = Need::safe_data | Need::harmful_data;
  struct Options {
    double safe = 0.5, of_harmful = 0.4, margin_safe = 0.3, margin_harmful = 0.5;
    bool raw = false;
    std::int64_t harmful = 200;
    std::string layers;
    AlignmentSpec stage;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.safe, OptionInfo{"safe", "weight of the stage's rows", 0, 1e6});
      field(self.of_harmful, OptionInfo{"of-harmful", "weight of harmful rows", 0, 1e6});
      field(self.margin_safe, OptionInfo{"margin-safe", "m_s", 0, 1e6});
      field(self.margin_harmful, OptionInfo{"margin-harmful", "m_h", 0, 1e6});
      field(self.raw, OptionInfo{.name = "raw", .help = "distances of vectors as they are"});
      field(self.layers, OptionInfo{"layers", "blocks, as 10,20; empty: at 10/32 and 20/32"});
      field(self.harmful, OptionInfo{"harmful", "harmful rows of the defender", 1, 1e7});
      AlignmentSpec::visit(self.stage, field);
    }
    void check() const { layers_from("crl.layers", layers); }
  } options;

  std::vector<StagePlan> before(const Context& context, Rng& rng) {
    return safe_stage(name, options.stage, context, rng);
  }
  Tensor penalty(Trainer& trainer, const Step&) {  // once a step, before the losses
    rows = trainer.next(trainer.rows(Pool::harmful, options.harmful), options.stage.batch_size);
    return {};
  }
  Tensor around_loss(Trainer& trainer, const LossFn& loss) {
    const Streams bad = streams(trainer, rows), good = streams(trainer, trainer.user());
    Tensor sum = loss();
    const double share = 1.0 / static_cast<double>(bad.now.size());
    for (std::size_t l = 0; l < bad.now.size(); ++l) {
      const Tensor center = bad.now[l].mean(0);
      const auto far = [](const Tensor& a, const Tensor& b) { return a.sub(b).norm(2, -1); };
      const Tensor moved = far(good.now[l], good.start[l]).sub(far(good.now[l], center)),
                   stayed = far(bad.now[l], center).sub(far(bad.now[l], bad.start[l]));
      sum = sum.add(moved.add(options.margin_safe).relu().mean(), share * options.safe)
                .add(stayed.add(options.margin_harmful).relu().mean(), share * options.of_harmful);
    }
    return sum;
  }

  Streams streams(Trainer& trainer, const Batch& batch) const {
    Streams all = target_streams(trainer, batch, layers_from("", options.layers));
    for (Tensors* side : {&all.start, &all.now})
      for (Tensor& h : *side)
        if (!options.raw) h = h.div(h.norm(2, -1, true));
    return all;
  }
  Batch rows;  // harmful ones, of the step in hand
};
static_assert(explain<Crl>());

}  // namespace seawall
