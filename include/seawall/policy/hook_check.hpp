#pragma once
// What the compiler can find out about a policy: which names it has, and which of them are hooks.
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "seawall/core/options.hpp"
#include "seawall/policy/hooks.hpp"
#include "seawall/policy/scenario.hpp"

namespace seawall {

/// A policy as `describe`, `--print-config` and run files show it.
struct PolicyDescription {
  std::string name;
  std::vector<OptionValue> options;
};

/// What a policy measured while it worked, for the run file: a name, with `/` where it has parts,
/// and a number. A mitigation gives it with `Measured measured() const`.
using Measured = std::vector<std::pair<std::string, double>>;

namespace detail {

// Every hook as the wanted signature says.
template <class M>
concept Composes = requires(M& m, Dataset rows, const Scenario& scenario, Rng& rng) {
  { m.compose(rows, scenario, rng) } -> std::same_as<Dataset>;
};
template <class M>
concept Starts = requires(M& m, ParamView params) {
  { m.on_start(params) } -> std::same_as<void>;
};
template <class M>
concept Penalizes = requires(M& m, ParamView params, const Step& step) {
  { m.penalty(params, step) } -> std::same_as<Tensor>;
};
template <class M>
concept WeighsTokens = requires(M& m, const TokenLosses& losses) {
  { m.token_weights(losses) } -> std::same_as<Tensor>;
};
template <class M>
concept WrapsLoss = requires(M& m, const LossFn& loss) {
  { m.around_loss(loss) } -> std::same_as<Tensor>;
};
template <class M>
concept ActsBeforeStep = requires(M& m, ParamView params, const Step& step) {
  { m.before_step(params, step) } -> std::same_as<void>;
};
template <class M>
concept ActsAfterStep = requires(M& m, ParamView params, const Step& step) {
  { m.after_step(params, step) } -> std::same_as<void>;
};
template <class M>
concept ChoosesParameters = requires(const M& m, std::string_view parameter) {
  { m.trains(parameter) } -> std::same_as<bool>;
};
template <class M>
concept EditsActivations = requires(const M& m, const TapPoint& point, Tensor x) {
  { m.edit(point, x) } -> std::same_as<Tensor>;
};
template <class M>
concept ArmsDialogues = requires(const M& m, Dialogue dialogue) {
  { m.arm(dialogue) } -> std::same_as<Dialogue>;
};
template <class M>
concept Finishes = requires(M& m, ParamView params) {
  { m.on_finish(params) } -> std::same_as<void>;
};
template <class M>
concept KeepsState = requires(const M& c, M& m, StateOut& out, StateIn& in) {
  { c.save(out) } -> std::same_as<void>;
  { m.load(in) } -> std::same_as<void>;
};

// Which names a policy has, whatever their signature: a name that both bases have is ambiguous, so
// `&Both<M>::name` is ill-formed.
struct HookNames {
  int compose, on_start, penalty, token_weights, around_loss, before_step, after_step, trains, edit,
      arm, on_finish, save, load;
  int craft, conditions;
  // What a hook is called elsewhere, or in a hurry.
  int onStart, OnStart, on_begin, on_train_begin, onFinish, OnFinish, on_end, on_train_end,
      penalties, token_weight, tokenWeights;
  int aroundLoss, wrap_loss, beforeStep, before_steps, on_before_step, afterStep, after_steps,
      on_after_step, composes, arms;
};
template <class P>
struct Both : P, HookNames {};

template <class P>
inline constexpr bool has_near_miss = !(
    requires { &Both<P>::onStart; } && requires { &Both<P>::OnStart; } &&
    requires { &Both<P>::on_begin; } && requires { &Both<P>::on_train_begin; } &&
    requires { &Both<P>::onFinish; } && requires { &Both<P>::OnFinish; } &&
    requires { &Both<P>::on_end; } && requires { &Both<P>::on_train_end; } &&
    requires { &Both<P>::penalties; } && requires { &Both<P>::token_weight; } &&
    requires { &Both<P>::tokenWeights; } && requires { &Both<P>::aroundLoss; } &&
    requires { &Both<P>::wrap_loss; } && requires { &Both<P>::beforeStep; } &&
    requires { &Both<P>::before_steps; } && requires { &Both<P>::on_before_step; } &&
    requires { &Both<P>::afterStep; } && requires { &Both<P>::after_steps; } &&
    requires { &Both<P>::on_after_step; } && requires { &Both<P>::composes; } &&
    requires { &Both<P>::arms; });

template <class T>
concept OptionType = std::same_as<T, bool> || std::same_as<T, std::int64_t> ||
    std::same_as<T, double> || std::same_as<T, std::string>;
struct CheckField {
  template <class T>
  void operator()(const T&, const OptionInfo&) const {
    static_assert(OptionType<T>,
                  "options: an option is a bool, a std::int64_t, a double or a std::string");
  }
};
template <class P>
concept HasOptions = requires(const P& p, const typename P::Options& options) {
  { p.options } -> std::convertible_to<const typename P::Options&>;
  P::Options::visit(options, CheckField{});
};
template <class P>
concept HasName = requires {
  { P::name } -> std::convertible_to<std::string_view>;
  { P::summary } -> std::convertible_to<std::string_view>;
};
template <class P>
concept HasNeeds = requires {
  { P::needs } -> std::convertible_to<Need>;
};
template <class M>
concept HasHooks = requires {
  { M::hooks } -> std::convertible_to<Hook>;
};

/// What attacks and mitigations share.
template <class P>
consteval void explain_common() {
  static_assert(std::is_class_v<P> && !std::is_final_v<P>,
                "policy: want a struct that is not final");
  static_assert(HasName<P>,
                "policy: want `static constexpr std::string_view name = \"kebab-case\", summary = "
                "\"one line\"`");
  static_assert(HasNeeds<P>,
                "policy: want `static constexpr Need needs`, Need::none where nothing is needed");
  static_assert(HasOptions<P>,
                "policy: want `struct Options { …; static constexpr void visit(auto& self, auto&& "
                "field); }` and `Options options`");
  // Never called: it has the compiler look at the type of each option.
  [[maybe_unused]] const auto look = [](const typename P::Options& options) {
    P::Options::visit(options, CheckField{});
  };
  static_assert(
      std::copyable<P>,
      "policy: want a struct that can be copied, since each arm of a grid works on its own copy");
}

/// The hooks in use: all, or those that `active` says for its options.
template <class M>
Hook hooks_of(const M& policy) {
  if constexpr (requires { policy.active(); })
    return M::hooks & policy.active();
  else
    return M::hooks;
}

/// Ranges, and what `Options::check` says. Errors: UsageError.
template <class P>
void check_policy(const P& policy) {
  check_options(policy.options, P::name);
  if constexpr (requires { policy.options.check(); }) policy.options.check();
}

}  // namespace detail

}  // namespace seawall
