#pragma once
// What the blocks of hooks are made of. A block is all that there is to say of one hook: its flag,
// name and signature, the diagnostic that says what is wanted, names that are nearly right, and how
// the hooks of several policies join. Everything else folds over the list of blocks (joined.hpp).
#include <ATen/core/grad_mode.h>

#include <concepts>
#include <cstddef>
#include <functional>
#include <string_view>
#include <utility>

#include "seawall/policy/hooks.hpp"
#include "seawall/policy/scenario.hpp"
#include "seawall/policy/trainer.hpp"

namespace seawall {

/// Opens the group of a checkpoint that one policy writes to or reads from. The reference lives
/// until the next call.
using OpenStateOut = std::function<StateOut&(std::string_view group)>;
using OpenStateIn = std::function<StateIn&(std::string_view group)>;

namespace detail {

/// A name that both bases have is ambiguous: `&Both<P, Names>::name` is ill-formed exactly if P has
/// a member of that name, whatever its signature.
template <class P, class Names>
struct Both : P, Names {};

/// A hook that a policy does not have was asked: an error of the framework's own.
[[noreturn]] void not_asked(std::string_view hook);

/// What a signature gives each block: whether a call fits it, and the erased form of a policy.
template <class Signature>
struct Block;
template <class R, class... Args>
struct Block<R(Args...)> {
  template <class B, class M>
  static constexpr bool fits = requires(M& m, Args... args) {
    { B::call(m, std::forward<Args>(args)...) } -> std::same_as<R>;
  };
  template <class B>
  struct Virtual {
    virtual ~Virtual() = default;
    virtual R ask(B, Args... args) = 0;
  };
  template <class B, class Next>
  struct Held : Next {
    using Next::ask;
    using Next::Next;
    R ask(B, Args... args) final {
      if constexpr (fits<B, decltype(Next::policy)>)
        return B::call(this->policy, std::forward<Args>(args)...);
      else
        not_asked(B::name);
    }
  };
};
template <class R, class... Args>
struct Block<R(Args...) const> {
  template <class B, class M>
  static constexpr bool fits = requires(const M& m, Args... args) {
    { B::call(m, std::forward<Args>(args)...) } -> std::same_as<R>;
  };
  template <class B>
  struct Virtual {
    virtual ~Virtual() = default;
    virtual R ask(B, Args... args) const = 0;
  };
  template <class B, class Next>
  struct Held : Next {
    using Next::ask;
    using Next::Next;
    R ask(B, Args... args) const final {
      if constexpr (fits<B, decltype(Next::policy)>)
        return B::call(this->policy, std::forward<Args>(args)...);
      else
        not_asked(B::name);
    }
  };
};

/// What a block says of its hook: `wanted` is its signature as the diagnostic shows it. A macro,
/// since a static_assert takes nothing but a literal.
// NOLINTBEGIN(bugprone-macro-parentheses): a member's name cannot have any
#define SEAWALL_HOOK(flag_, member, wanted)                                                       \
  static constexpr Hook flag = Hook::flag_;                                                       \
  static constexpr std::string_view name = #flag_;                                                \
  struct Names {                                                                                  \
    int member;                                                                                   \
  };                                                                                              \
  static auto call(auto& m, auto&&... a)->decltype(m.member(std::forward<decltype(a)>(a)...)) {   \
    return m.member(std::forward<decltype(a)>(a)...);                                             \
  }                                                                                               \
  template <class B, class M>                                                                     \
  static consteval void check() {                                                                 \
    static_assert(                                                                                \
        !has(M::hooks, flag) || B::template fits<B, M> || requires { &Both<M, Names>::member; },  \
        "hook " #flag_ ": declared, but of another signature; want " wanted);                     \
    static_assert(                                                                                \
        !has(M::hooks, flag) || B::template fits<B, M> || !requires { &Both<M, Names>::member; }, \
        "hook " #flag_ ": declared, but missing; want " wanted);                                  \
    static_assert(                                                                                \
        has(M::hooks, flag) || requires { &Both<M, Names>::member; },                             \
        "hook " #flag_ ": defined, but not declared; add Hook::" #flag_ " to `hooks`");           \
  }
// NOLINTEND(bugprone-macro-parentheses)

/// Calls f(policy, index) for every policy that has the hook, in order.
template <class B>
void each_with(auto& policies, auto&& f) {
  policies.template each<B::flag>(f);
}

template <class M>
std::string_view policy_name(const M& m) {
  if constexpr (requires { m.name(); })
    return m.name();
  else
    return M::name;
}

/// Where `edit` is asked: at the residual stream, or as `static constexpr Taps taps` says.
template <class M>
constexpr Taps taps_of() {
  if constexpr (requires { M::taps; })
    return M::taps;
  else
    return TapPoint::Kind::embed | TapPoint::Kind::resid_post;
}

template <class M>
Taps policy_taps(const M& m) {
  if constexpr (requires { m.taps(); })
    return m.taps();
  else
    return taps_of<M>();
}

/// Throws what is being handled again, naming policy and hook.
[[noreturn]] void rethrow_of_hook(std::string_view policy, std::string_view hook);

/// Asks one policy, known by type or erased. Errors: those of the policy, naming it and the hook.
template <class B>
decltype(auto) ask(auto& policy, auto&&... args) {
  try {
    if constexpr (requires { policy.ask(B{}, std::forward<decltype(args)>(args)...); })
      return policy.ask(B{}, std::forward<decltype(args)>(args)...);
    else
      return B::call(policy, std::forward<decltype(args)>(args)...);
  } catch (...) {
    rethrow_of_hook(policy_name(policy), B::name);
  }
}
/// The same of a hook that asks the trainer, in the name of the policy at `place` of the stack.
template <class B>
decltype(auto) ask_in_turn(auto& policy, std::size_t place, Trainer& trainer, auto&&... args) {
  const Trainer::Turn turn(trainer, place);
  return ask<B>(policy, trainer, std::forward<decltype(args)>(args)...);
}

// Each throws RunError naming the policy, the hook, what was wanted and what came.
void want_scalar(std::string_view policy, std::string_view hook, const Tensor& got);
void want_like(std::string_view policy, std::string_view hook, const Tensor& like,
               const Tensor& got);

}  // namespace detail
}  // namespace seawall
