#pragma once
// SafeDecoding: the first tokens of an answer are chosen with a safe model's help.
// Source: Xu et al. 2024, arXiv 2402.08983: alpha 3, m 2, c 5.
#include <ATen/ops/maximum.h>

#include <algorithm>
#include <limits>

#include "seawall/policy/changes.hpp"
#include "seawall/policy/mitigation.hpp"
#include "seawall/policy/side_rows.hpp"

namespace seawall {

/// In the first m places p + alpha (p_e - p), at least 1e-8, over the tokens among the first n of
/// both models, n the least that gives c of them; p_e of the expert. Deviation: the paper's expert
/// is the attacked model itself, trained further on 36 refusals; ours is theta0, or any model of
/// the same shape; without training theta0 is the model, and nothing changes. Memory: the weights
/// that are trained once more, in checkpoints as well.
struct SafeDecoding {
  static constexpr std::string_view name = "safe-decoding";
  static constexpr std::string_view summary = "A safe model helps to choose the first tokens.";
  static constexpr Hook hooks = Hook::on_start | Hook::choose | Hook::state;
  static constexpr Need needs = Need::start_weights;
  struct Options {
    double alpha = 3;
    std::int64_t tokens = 2, common = 5;
    std::string expert;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.alpha, OptionInfo{"alpha", "weight of what the expert says otherwise", 0, 1e6});
      field(self.tokens, OptionInfo{"tokens", "m, places that it helps with", 1, 1e6});
      field(self.common, OptionInfo{"common", "c, tokens that are chosen from", 1, 1e6});
      field(self.expert, OptionInfo{"expert", "safe model: a folder; empty: the start"});
    }
  } options;

  void on_start(Trainer& trainer) {
    expert = start_weights(trainer);
    if (options.expert.empty()) return;
    for (auto& [name, tensor] : expert) tensor = other_weight(trainer, options.expert, name);
  }
  Tensor choose(const AnswerStep& step, const Tensor& logits) const {
    if (step.place >= options.tokens) return logits;
    const Tensor p = logits.softmax(-1), e = step.under(expert).softmax(-1);
    const Tensor worse = at::maximum(ranks(p), ranks(e));  // [B,V]
    const auto count = std::min(options.common, worse.size(1));
    const Tensor last = std::get<0>(worse.kthvalue(count, 1, true));  // [B,1], n - 1
    const Tensor mixed = p.add(e.sub(p), options.alpha).clamp_min(1e-8).log();
    return mixed.masked_fill(worse.gt(last), -std::numeric_limits<double>::infinity());
  }
  /// Places in the order from the most likely, the first of equals first.
  static Tensor ranks(const Tensor& p) { return p.argsort(true, 1, true).argsort(true, 1, false); }

  void save(StateOut& out) const {
    save_named(out, "expert", expert);
    out.text("word", options.expert);
  }
  void load(StateIn& in) {
    if (const std::string word = in.text("word"); word != options.expert)
      throw UsageError("--safe-decoding.expert " + options.expert + ": the model has `" + word +
                       "`; give the same");
    expert = load_named(in, "expert");
  }

  NamedTensors expert;  // of the weights that are trained
};
static_assert(explain<SafeDecoding>());

}  // namespace seawall
