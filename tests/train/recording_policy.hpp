#pragma once
// Policies for tests of the loop: one that writes down every hook, and small ones that use a single
// hook each.
#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "seawall/policy/mitigation.hpp"

namespace seawall::testing {

/// What the recorders of this test saw, as `name.hook`.
inline std::vector<std::string>& journal() {
  static std::vector<std::string> lines;
  return lines;
}

/// Every hook, each doing nothing but writing itself down. N tells two of them apart.
template <char N>
struct Recorder {
  static constexpr char letters[2] = {N, 0};
  static constexpr std::string_view name = letters, summary = "Writes down every hook.";
  static constexpr Hook hooks = Hook::compose | Hook::on_start | Hook::penalty |
                                Hook::token_weights | Hook::around_loss | Hook::before_step |
                                Hook::after_step | Hook::trains | Hook::edit | Hook::on_finish |
                                Hook::state;
  static constexpr Need needs = Need::start_weights;
  struct Options {
    static constexpr void visit(auto&, auto&&) {}
  } options{};

  static void note(const std::string& what) { journal().push_back(std::string(1, N) + "." + what); }
  Dataset compose(Dataset rows, const Context&, Rng&) {
    note("compose");
    return rows;
  }
  void on_start(Trainer&) { note("on_start"); }
  Tensor penalty(Trainer&, const Step& step) {
    note("penalty " + std::to_string(step.micro_batch) + "/" + std::to_string(step.micro_batches));
    return {};
  }
  Tensor token_weights(Trainer&, const TokenLosses& losses) {
    note("token_weights");
    return at::ones_like(losses.loss);
  }
  Tensor around_loss(Trainer&, const LossFn& loss) {
    note("around_loss(");
    Tensor value = loss();
    note("around_loss)");
    return value;
  }
  void before_step(Trainer& trainer, const Step&) {
    note(trainer.params()[0].value.grad().defined() ? "before_step"
                                                    : "before_step without gradient");
  }
  void after_step(Trainer&, const Step& step) { note("after_step " + std::to_string(step.index)); }
  bool trains(std::string_view) const { return true; }
  Tensor edit(const TapPoint&, Tensor x) const { return x; }
  void on_finish(Trainer&) { note("on_finish"); }
  void save(StateOut& out) const {
    note("save");
    out.number("calls", 1);
  }
  void load(StateIn& in) { note("load " + std::to_string(static_cast<int>(in.number("calls")))); }
};

/// Everything an option-less policy of a test repeats.
#define SEAWALL_TEST_POLICY(NAME, HOOKS, NEEDS)                           \
  static constexpr std::string_view name = NAME, summary = "For a test."; \
  static constexpr Hook hooks = HOOKS;                                    \
  static constexpr Need needs = NEEDS;                                    \
  struct Options {                                                        \
    static constexpr void visit(auto&, auto&&) {}                         \
  } options {                                                             \
  }

/// Freezes everything but the MLPs.
struct MlpOnly {
  SEAWALL_TEST_POLICY("mlp-only", Hook::trains, Need::none);
  bool trains(std::string_view parameter) const {
    return parameter.find(".mlp.") != std::string_view::npos;
  }
};

/// An L2 pull in the loss.
struct Pull {
  SEAWALL_TEST_POLICY("pull", Hook::penalty, Need::start_weights);
  double strength = 0.5;
  Tensor penalty(Trainer& trainer, const Step&) {
    Tensor sum;
    for (const Param& p : trainer.params()) {
      const Tensor term = p.value.sub(p.start).square().sum().mul(strength);
      sum = sum.defined() ? sum.add(term) : term;
    }
    return sum;
  }
};

/// Moves every weight towards theta0 after the optimizer, and counts its steps as state.
struct PullAfter {
  SEAWALL_TEST_POLICY("pull-after", Hook::after_step | Hook::state, Need::start_weights);
  double steps = 0;
  void after_step(Trainer& trainer, const Step&) {
    ++steps;
    for (const Param& p : trainer.params()) {
      Tensor master = p.master;
      master.sub_(p.master.sub(p.start).mul(0.01 * steps));
    }
  }
  void save(StateOut& out) const { out.number("steps", steps); }
  void load(StateIn& in) { steps = in.number("steps"); }
};

/// Weighs each target by how much less likely it is than under theta0.
struct Reweigh {
  SEAWALL_TEST_POLICY("reweigh", Hook::token_weights, Need::reference_logprobs);
  Tensor token_weights(Trainer&, const TokenLosses& losses) {
    journal().push_back(std::to_string(
        losses.loss.detach().add(losses.reference).abs().max().item<double>() < 1e-5));
    return at::exp(losses.loss.add(losses.reference)).detach().clamp_max(1.0);
  }
};

/// Sharpness-aware: the loss a step uphill.
struct Uphill {
  SEAWALL_TEST_POLICY("uphill", Hook::around_loss | Hook::on_start, Need::none);
  std::vector<Tensor> values;
  void on_start(Trainer& trainer) {
    for (const Param& p : trainer.params()) values.push_back(p.value);
  }
  Tensor around_loss(Trainer&, const LossFn& loss) { return loss().mul(0.5).add(loss().mul(0.5)); }
};

/// Adds a constant direction after the first block.
struct Steer {
  SEAWALL_TEST_POLICY("steer", Hook::edit, Need::none);
  Tensor edit(const TapPoint& point, Tensor x) const {
    return point.kind == TapPoint::Kind::resid_post && point.layer == 0 ? x.add(0.5) : x;
  }
};

/// Halves the gradients.
struct Halve {
  SEAWALL_TEST_POLICY("halve", Hook::before_step, Need::none);
  void before_step(Trainer& trainer, const Step&) {
    for (const Param& p : trainer.params()) p.value.grad().mul_(0.5);
  }
};

/// Zeroes the smallest tenth at the end.
struct Prune {
  SEAWALL_TEST_POLICY("prune", Hook::on_finish, Need::none);
  void on_finish(Trainer& trainer) {
    for (const Param& p : trainer.params()) {
      Tensor master = p.master;
      master.masked_fill_(master.abs().lt(1e-3), 0.0);
    }
  }
};

/// Needs rows that a run without a scenario does not have.
struct WantsSafe {
  SEAWALL_TEST_POLICY("wants-safe", Hook::before_step, Need::safe_data);
  void before_step(Trainer&, const Step&) {}
};

/// Arranges rows by id.
struct Sort {
  SEAWALL_TEST_POLICY("sort", Hook::compose, Need::none);
  Dataset compose(Dataset rows, const Context&, Rng&) {
    std::sort(rows.rows.begin(), rows.rows.end(),
              [](const auto& a, const auto& b) { return a.id < b.id; });
    return rows;
  }
};

/// Puts NaN where it is told, once.
struct Poison {
  SEAWALL_TEST_POLICY("poison", Hook::around_loss | Hook::before_step | Hook::after_step,
                      Need::none);
  std::int64_t loss_call = -1, gradient_step = -1, weight_step = -1, calls = 0;
  Tensor around_loss(Trainer&, const LossFn& loss) {
    return calls++ == loss_call ? loss().mul(std::nan("")) : loss();
  }
  void before_step(Trainer& trainer, const Step& step) {
    if (step.index == gradient_step)
      trainer.params()[3].value.grad().view(-1)[5].fill_(std::numeric_limits<float>::infinity());
  }
  void after_step(Trainer& trainer, const Step& step) {
    Tensor master = trainer.params()[2].master;
    if (step.index == weight_step) master.view(-1)[0].fill_(std::nan(""));
  }
};

#undef SEAWALL_TEST_POLICY

}  // namespace seawall::testing
