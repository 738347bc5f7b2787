#pragma once
// SEAL (arXiv 2410.07471): learns which of the user's rows agree with safe ones, then trains on the
// best of them alone, from the start. Deviations: a row's scalar rises by lr <g_i, g_s>, the
// first-order part of the upper level's gradient, asked in the last micro-batch of a step; both
// levels are one run, and the optimizer's moments are kept between them.
#include <cmath>

#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/side_rows.hpp"

namespace seawall::coverage {

struct Seal {
  static constexpr std::string_view name = "seal",
                                    summary = "Selects the user's rows, then trains on them.";
  static constexpr Hook hooks =
      Hook::compose | Hook::on_start | Hook::token_weights | Hook::after_step | Hook::state;
  static constexpr Need needs = Need::safe_data;
  struct Options {
    double lr = 0.1;
    double share = 0.8;
    std::int64_t rows = 10;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.lr, OptionInfo{"lr", "of the scalars", 0, 1e3});
      field(self.share, OptionInfo{"share", "of the rows that are kept", 0, 1});
      field(self.rows, OptionInfo{"rows", "safe rows, a batch", 1, 1e6});
    }
  } options;

  Dataset compose(Dataset rows, const Context&, Rng&) {
    places.add(rows);
    return rows;
  }
  void on_start(Trainer&) { scalars = at::zeros({places.size()}, at::kDouble); }
  Tensor token_weights(Trainer& trainer, const TokenLosses& t) {
    which = places.of(trainer.user().rows);
    const Tensor w = chosen.defined() ? chosen : scalars.softmax(0).mul(scalars.size(0));
    return w.index_select(0, which)
        .to(t.loss.options().requires_grad(false))
        .index_select(0, t.row);
  }
  void after_step(Trainer& trainer, const Step& step) {
    if (chosen.defined()) return;
    const Tensors safe = trainer.gradient(
        [&] { return next_loss(trainer, Pool::safe, options.rows, options.rows); });
    const Batch& user = trainer.user();
    for (std::size_t i = 0; i < user.rows.size(); ++i) {
      const Batch row = trainer.encode({"row", {user.rows[i]}});
      const Tensors g = trainer.gradient([&] { return trainer.pass(row).loss.mean(); });
      scalars[which[static_cast<std::int64_t>(i)]].add_(dot(g, safe), options.lr);
    }
    if (2 * (step.index + 1) < step.total) return;
    const auto keep = std::max<std::int64_t>(1, std::llround(options.share * scalars.size(0)));
    chosen = at::zeros_like(scalars).index_fill_(0, std::get<1>(scalars.topk(keep)), 1);
    at::NoGradGuard no_grad;
    for (const Param& p : trainer.params()) p.master.copy_(p.start);
  }
  void save(StateOut& out) const {
    out.tensor("scalars", scalars);
    out.tensor("chosen", chosen.defined() ? chosen : at::zeros({0}, at::kDouble));
  }
  void load(StateIn& in) {
    scalars = in.tensor("scalars");
    chosen = in.tensor("chosen");
    if (chosen.numel() == 0) chosen = Tensor();
  }

  RowPlaces places;
  Tensor scalars, chosen, which;
};
static_assert(explain<Seal>());

}  // namespace seawall::coverage
