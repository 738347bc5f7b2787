#pragma once
// Small mitigations that leave a mark wherever a hook of theirs was called.
#include <ATen/ops/ones_like.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>

#include <string>
#include <vector>

#include "seawall/policy/any.hpp"

namespace seawall::testing {

/// Calls in the order they came, over all policies of a test.
inline std::vector<std::string>& calls() {
  static std::vector<std::string> list;
  return list;
}

struct NoOptions {
  static constexpr void visit(auto&, auto&&) {}
};

/// Has every hook. `mark` says who was called; `factor` makes joins tell apart.
struct Everything {
  static constexpr std::string_view name = "everything", summary = "Has every hook.";
  static constexpr Hook hooks =
      Hook::compose | Hook::on_start | Hook::penalty | Hook::token_weights | Hook::around_loss |
      Hook::before_step | Hook::after_step | Hook::trains | Hook::edit | Hook::prompt |
      Hook::on_finish | Hook::state | Hook::prepare | Hook::steer | Hook::choose;
  static constexpr Need needs = Need::safe_data;
  struct Options {
    std::string mark = "a";
    double factor = 2;
    static constexpr void visit(auto& self, auto&& field) {
      field(self.mark, OptionInfo{.name = "mark", .help = "who was called"});
      field(self.factor, OptionInfo{.name = "factor", .help = "a number", .min = 0, .max = 10});
    }
  } options;
  double count = 0, drawn = 0;

  void log(std::string_view hook) const {
    calls().push_back(options.mark + "." + std::string(hook));
  }
  Dataset compose(Dataset rows, const Context&, Rng& rng) {
    log("compose");
    rows.name += "+" + options.mark;
    rng.next();
    return rows;
  }
  void on_start(Trainer&) { log("on_start"); }
  Tensor penalty(Trainer& trainer, const Step&) {
    log("penalty");
    return trainer.params().front().value.sum().mul(options.factor);
  }
  Tensor token_weights(Trainer&, const TokenLosses& losses) {
    log("token_weights");
    return at::ones_like(losses.loss).mul(options.factor);
  }
  Tensor around_loss(Trainer&, const LossFn& loss) {
    log("around_loss>");
    Tensor value = loss().mul(options.factor).add(1);
    log("around_loss<");
    return value;
  }
  void before_step(Trainer&, const Step&) { log("before_step"); }
  void after_step(Trainer&, const Step&) {
    log("after_step");
    ++count;
  }
  bool trains(std::string_view parameter) const { return parameter != options.mark; }
  Tensor edit(const TapPoint&, Tensor x) const { return x.mul(options.factor).add(1); }
  Dialogue prompt(Dialogue dialogue, const Condition& condition, const Scenario& scenario) const {
    dialogue.messages.back().content +=
        options.mark + (condition.is(options.mark + "-on") ? std::string(scenario.name()) : "");
    return dialogue;
  }
  std::vector<Condition> conditions() const {
    return {{options.mark + "-on"}, {options.mark + "-off"}};
  }
  void prepare(const Scenario&, Rng& rng) {
    log("prepare");
    drawn = static_cast<double>(rng.below(1'000'000));
  }
  Tensor steer(const TapPoint&, Tensor x) const { return x.mul(options.factor).add(drawn); }
  Tensor choose(const AnswerStep& step, Tensor logits) const {
    return logits.mul(options.factor).add(static_cast<double>(step.place));
  }
  void on_finish(Trainer&) { log("on_finish"); }
  void save(StateOut& out) const {
    out.number("count", count);
    out.number("drawn", drawn);
  }
  void load(StateIn& in) {
    count = in.number("count");
    drawn = in.number("drawn");
  }
};
static_assert(explain<Everything>());

/// Has one hook that leaves no trace in the result: what the other hooks mean without it.
struct Quiet {
  static constexpr std::string_view name = "quiet", summary = "Only watches.";
  static constexpr Hook hooks = Hook::on_finish;
  static constexpr Need needs = Need::none;
  using Options = NoOptions;
  Options options;
  void on_finish(Trainer&) { calls().push_back("quiet.on_finish"); }
};
static_assert(explain<Quiet>());

}  // namespace seawall::testing
