#pragma once
// SGDG: after training, the weights that the gradient of -cos(mean harmful hidden state, the
// aligned model's) names first go back to the start, 0.2 % of them, in a few rounds.
#include <ATen/ops/cosine_similarity.h>
#include <ATen/ops/where.h>

#include "seawall/policy/changes.hpp"
#include "seawall/policy/mitigation.hpp"

namespace seawall::coverage {

struct Sgdg {
  static constexpr std::string_view name = "sgdg",
                                    summary = "Restores the few weights that hide refusal.";
  static constexpr Hook hooks = Hook::on_start | Hook::on_finish;
  static constexpr Need needs = Need::harmful_data;
  struct Options {
    double share = 0.002;
    std::int64_t rounds = 5;
    std::int64_t rows = 8;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.share, OptionInfo{"share", "of the weights, in a round", 0, 1});
      field(self.rounds, OptionInfo{"rounds", "gradients", 1, 1e6});
      field(self.rows, OptionInfo{"rows", "harmful rows", 1, 1e6});
    }
  } options;

  void on_start(Trainer& trainer) {
    want_whole_weights(trainer);
    aligned = last_stream(trainer).detach();
  }
  Tensor last_stream(Trainer& trainer) const {  // [C]
    const Batch rows = trainer.encode(trainer.rows(Pool::harmful, options.rows));
    const Pass pass = trainer.pass(rows, {.taps = TapPoint::Kind::resid_post});
    return in_full(pass.taps.back().second).index_select(0, rows.prompt_end).mean(0);
  }
  void on_finish(Trainer& trainer) {
    for (std::int64_t round = 0; round < options.rounds; ++round) {
      const Tensors g = trainer.gradient(
          [&] { return at::cosine_similarity(last_stream(trainer), aligned, 0).neg(); });
      const Tensor all = flat(g).abs();
      const auto count = static_cast<std::int64_t>(options.share * all.numel());
      if (count == 0) return;
      const double least = std::get<0>(all.topk(count)).min().item<double>();
      for (std::size_t i = 0; i < g.size(); ++i) {
        const Param& p = trainer.params()[i];
        const Tensor back = g[i].abs().ge(least);
        p.master.copy_(at::where(back, p.start.to(p.master.scalar_type()), p.master));
      }
    }
  }
  Tensor aligned;
};
static_assert(explain<Sgdg>());

}  // namespace seawall::coverage
