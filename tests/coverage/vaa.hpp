#pragma once
// VAA: two groups of the stage's rows, whose weights follow their losses, and a sharpness-aware
// step with a probability that rises to 1. rho 0.4, rate 0.007, weights within 0.1 and 0.9.
#include <ATen/ops/zeros.h>

#include <cmath>

#include "seawall/policy/alignment.hpp"
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/params.hpp"

namespace seawall::coverage {

struct Vaa {
  static constexpr std::string_view name = "vaa",
                                    summary = "Balances groups of rows, sharpness-aware.";
  static constexpr Hook hooks =
      Hook::before | Hook::token_weights | Hook::before_step | Hook::state;
  static constexpr Need needs = Need::safe_data;
  struct Options {
    double rho = 0.4;
    double rate = 0.007;
    AlignmentSpec stage;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.rho, OptionInfo{"rho", "length of the perturbation", 0, 1e3});
      field(self.rate, OptionInfo{"rate", "of the groups' weights", 0, 1e3});
      AlignmentSpec::visit(self.stage, field);
    }
  } options;

  std::vector<StagePlan> before(const Context& context, Rng& rng) {
    return safe_stage(name, options.stage, context, rng);
  }
  static Tensor of_group(const Batch& user) {  // [B] 1: refusals, the vulnerable group
    Tensor out = at::zeros({static_cast<std::int64_t>(user.rows.size())}, at::kFloat);
    for (std::size_t i = 0; i < user.rows.size(); ++i)
      if (user.rows[i].kind == RowKind::safe) out[static_cast<std::int64_t>(i)].fill_(1);
    return out.to(user.row.device());
  }
  Tensor token_weights(Trainer& trainer, const TokenLosses& t) {
    const Tensor group = of_group(trainer.user()).index_select(0, t.row);
    const Tensor loss = t.loss.detach().to(at::kFloat);
    const auto mean = [&](const Tensor& in) {
      return (loss.mul(in).sum() / in.sum().clamp_min(1)).item<double>();
    };
    const double up = share * std::exp(options.rate * mean(group)),
                 down = (1 - share) * std::exp(options.rate * mean(1 - group));
    share = std::clamp(up / (up + down), 0.1, 0.9);
    return group.mul(2 * share).add(1 - group, 2 * (1 - share)).to(t.loss.scalar_type());
  }
  void before_step(Trainer& trainer, const Step& step) {
    if (trainer.rng().uniform() * static_cast<double>(step.total) > step.index + 1.0) return;
    const Tensors g = gradients_of(trainer.params());
    const Shifted moved(trainer.params(), g, options.rho / (norm(g) + 1e-12));
    const Tensors there =
        trainer.gradient([&] { return trainer.pass(trainer.user()).loss.mean(); });
    for (std::size_t i = 0; i < there.size(); ++i) gradient_of(trainer.params()[i]).copy_(there[i]);
  }
  void save(StateOut& out) const { out.number("share", share); }
  void load(StateIn& in) { share = in.number("share"); }
  double share = 0.5;
};
static_assert(explain<Vaa>());

}  // namespace seawall::coverage
