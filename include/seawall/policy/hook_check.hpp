#pragma once
// What the compiler can find out about any policy: its name, needs, options, names that are nearly
// those of hooks.
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "seawall/core/catalogue.hpp"
#include "seawall/core/options.hpp"
#include "seawall/policy/description.hpp"
#include "seawall/policy/hooks/block.hpp"

namespace seawall {

namespace detail {

// What a hook is called elsewhere, or in a hurry.
struct NearMisses {
  int onStart, OnStart, on_begin, on_train_begin, onFinish, OnFinish, on_end, on_train_end,
      penalties, token_weight, tokenWeights;
  int aroundLoss, wrap_loss, beforeStep, before_steps, on_before_step, afterStep, after_steps,
      on_after_step, composes, prompts, arm, pre_step, post_step, on_prepare, prepares, steers,
      chooses;
};
template <class P>
using Near = Both<P, NearMisses>;
template <class P>
inline constexpr bool has_near_miss = !(
    requires { &Near<P>::onStart; } && requires { &Near<P>::OnStart; } &&
    requires { &Near<P>::on_begin; } && requires { &Near<P>::on_train_begin; } &&
    requires { &Near<P>::onFinish; } && requires { &Near<P>::OnFinish; } &&
    requires { &Near<P>::on_end; } && requires { &Near<P>::on_train_end; } &&
    requires { &Near<P>::penalties; } && requires { &Near<P>::token_weight; } &&
    requires { &Near<P>::tokenWeights; } && requires { &Near<P>::aroundLoss; } &&
    requires { &Near<P>::wrap_loss; } && requires { &Near<P>::beforeStep; } &&
    requires { &Near<P>::before_steps; } && requires { &Near<P>::on_before_step; } &&
    requires { &Near<P>::afterStep; } && requires { &Near<P>::after_steps; } &&
    requires { &Near<P>::on_after_step; } && requires { &Near<P>::composes; } &&
    requires { &Near<P>::prompts; } && requires { &Near<P>::arm; } &&
    requires { &Near<P>::pre_step; } && requires { &Near<P>::post_step; } &&
    requires { &Near<P>::on_prepare; } && requires { &Near<P>::prepares; } &&
    requires { &Near<P>::steers; } && requires { &Near<P>::chooses; });

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
concept HasNeeds = requires {
  { P::needs } -> std::convertible_to<Need>;
};
template <class M>
concept HasHooks = requires {
  { M::hooks } -> std::convertible_to<Hook>;
};

/// What every kind of plug-in shares.
template <class P>
consteval void explain_shape() {
  static_assert(std::is_class_v<P> && !std::is_final_v<P>,
                "plug-in: want a struct that is not final");
  static_assert(HasName<P>,
                "plug-in: want `static constexpr std::string_view name = \"kebab-case\", summary = "
                "\"one line\"`");
  static_assert(HasOptions<P>,
                "plug-in: want `struct Options { …; static constexpr void visit(auto& self, auto&& "
                "field); }` and `Options options`");
  // Never called: it has the compiler look at the type of each option.
  [[maybe_unused]] const auto look = [](const typename P::Options& options) {
    P::Options::visit(options, CheckField{});
  };
  static_assert(
      std::copyable<P>,
      "plug-in: want a struct that can be copied, since each arm of a grid works on its own copy");
}

/// What attacks and mitigations share.
template <class P>
consteval void explain_common() {
  explain_shape<P>();
  static_assert(HasNeeds<P>,
                "policy: want `static constexpr Need needs`, Need::none if nothing is needed");
}

/// The hooks in use: all, or those that `active` says for its options.
template <class M>
Hook hooks_of(const M& policy) {
  if constexpr (requires { policy.active(); })
    return M::hooks & policy.active();
  else
    return M::hooks;
}

/// What a policy says of itself, see PolicyDescription.
template <class M>
inline constexpr bool is_elementwise = [] {
  if constexpr (requires { M::elementwise; })
    return M::elementwise;
  else
    return false;
}();

/// Whether a policy has a hook, whatever its type.
template <class M>
bool policy_uses(const M& m, Hook hook) {
  if constexpr (requires { m.uses(hook); })
    return m.uses(hook);
  else
    return has(hooks_of(m), hook);
}
template <class M>
bool acts_on_answers(const M& m) {
  return policy_uses(m, Hook::steer) || policy_uses(m, Hook::choose);
}

/// Ranges, and what `Options::check` says. Errors: UsageError.
template <class P>
void check_policy(const P& policy) {
  check_options(policy.options, P::name);
  if constexpr (requires { policy.options.check(); }) policy.options.check();
}

}  // namespace detail

}  // namespace seawall
