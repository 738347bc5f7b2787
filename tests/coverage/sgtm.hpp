#pragma once
// Selective gradient masking: harmful rows move the MLP matrices of the blocks from the middle on,
// and nothing else.
#include <ATen/ops/zeros.h>

#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/place_factors.hpp"
#include "seawall/policy/side_rows.hpp"

namespace seawall::coverage {

struct Sgtm {
  static constexpr std::string_view name = "sgtm",
                                    summary = "Rows of a kind move only their parameters.";
  static constexpr Hook hooks = Hook::around_loss | Hook::before_step;
  static constexpr Need needs = Need::none;
  using Options = NoOptions;
  Options options;

  Tensor around_loss(Trainer& trainer, const LossFn& loss) {
    const Batch& user = trainer.user();
    Tensor harmful = at::zeros({static_cast<std::int64_t>(user.rows.size())}, at::kFloat);
    for (std::size_t i = 0; i < user.rows.size(); ++i)
      if (user.rows[i].kind == RowKind::harmful) harmful[static_cast<std::int64_t>(i)].fill_(1);
    const Tensor of_targets = harmful.to(user.row.device()).index_select(0, user.row);
    const Tensors g =
        trainer.gradient([&] { return trainer.pass(user).loss.mul(of_targets).mean(); });
    if (taken.empty())
      taken = g;
    else
      add(taken, g);
    ++micro;
    return loss();
  }
  void before_step(Trainer& trainer, const Step&) {
    at::NoGradGuard no_grad;
    for (std::size_t i = 0; i < taken.size(); ++i) {
      const Param& p = trainer.params()[i];
      if (p.name.find(".mlp.") != p.name.npos && detail::layer_of(p.name) >= 1) continue;
      gradient_of(p).sub_(taken[i].div(micro));
    }
    taken.clear();
    micro = 0;
  }
  Tensors taken;  // gradient of the harmful rows of this step
  double micro = 0;
};
static_assert(explain<Sgtm>());

}  // namespace seawall::coverage
