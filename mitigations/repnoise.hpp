#pragma once
// RepNoise: harmful answers' hidden states become noise.
// Source: Rosati et al. 2024, arXiv 2405.14577, and loss.py of its code.
#include <ATen/ops/stack.h>

#include "seawall/policy/alignment.hpp"
#include "seawall/policy/answer_table.hpp"
#include "seawall/policy/mitigation.hpp"

namespace seawall {

/// s + beta mean_l MMD(h_l m, noise m) - alpha log(1 + mean_l CE_l): s refuses the requests of the
/// harmful rows, h_l is what the MLP of block l gives on these, CE_l their loss read from residual
/// stream l (the embedding's too), m where refusal and answer differ, side by side from their
/// beginning; s and CE_l are means over m. One pass for each CE_l, and two.
struct Repnoise {
  static constexpr std::string_view name = "repnoise";
  static constexpr std::string_view summary = "Turns harmful hidden states into noise.";
  static constexpr Hook hooks = Hook::before | Hook::around_loss;
  static constexpr Need needs = Need::safe_data | Need::harmful_data;
  struct Options {
    double beta = 1e-3, alpha = 1;
    AlignmentSpec stage{.benign = 0};  // every row has its pair
    static constexpr void visit(auto& self, auto&& field) {
      field(self.beta, OptionInfo{"beta", "weight of the noise", 0, 1e6});
      field(self.alpha, OptionInfo{"alpha", "weight of the harmful loss", 0, 1e6});
      AlignmentSpec::visit(self.stage, field);
    }
  } options;

  std::vector<StagePlan> before(const Context& context, Rng& rng) {
    pairs = refusal_pairs(options.stage.count, context, rng);
    return alignment_stage(name, options.stage, pairs.refused, context, rng);
  }
  Tensor around_loss(Trainer& trainer, const LossFn&) {
    const Batch& safe = trainer.user();
    const Batch harmful = trainer.encode(of_same_ids(pairs.harmful, safe.rows));
    const std::int64_t width = std::max(longest_answer(safe), longest_answer(harmful));
    const AnswerTable a = answer_table(safe, width), b = answer_table(harmful, width);
    const Tensor differs = a.tokens.ne(b.tokens), there = differs.logical_and(b.places.ge(0));
    const Pass pass = trainer.pass(harmful, {.taps = streams | TapPoint::Kind::mlp_out});
    Tensors discrepancy, lens;
    for (const auto& [point, x] : pass.taps)
      if (point.kind == TapPoint::Kind::mlp_out) {
        const Tensor h = answers_of(x, b, there);
        const Tensor n = noise ? noise(point.layer, h) : normal_like(h, trainer);
        discrepancy.push_back(mean_discrepancy(h, masked(n, there)));
      } else {
        lens.push_back(masked_mean(loss_of_stream(trainer, harmful, pass, x), harmful, differs));
      }
    const Tensor mmd = at::stack(discrepancy).mean(), rise = at::stack(lens).mean();
    trainer.measure("mmd", mmd.item<double>());
    trainer.measure("lens", rise.item<double>());
    const Tensor own = masked_mean(trainer.pass(safe).loss, safe, differs);
    return own.add(mmd, options.beta).sub(rise.add(1).log(), options.alpha);
  }

  static constexpr Taps streams = TapPoint::Kind::embed | TapPoint::Kind::resid_post;
  RefusalPairs pairs;
  std::function<Tensor(std::int64_t layer, const Tensor& like)> noise;  // of tests
};
static_assert(explain<Repnoise>());

}  // namespace seawall
