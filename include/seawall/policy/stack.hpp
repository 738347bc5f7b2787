#pragma once
// Several mitigations as one. The two doors, one meaning:
//
//   Stack stack{SafetyMixing{{.count = 10}}, WeightDrift{}};      // an experiment names types
//   AnyStack stack; stack.push_back(catalogue.make("weight-drift"));  // the CLI names words
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "seawall/policy/joined.hpp"

namespace seawall {

/// What the trainer asks of mitigations; `Stack` and `AnyStack` both are.
template <class S>
concept StackLike = std::derived_from<S, detail::Joined<S>> && requires(const S& c, Hook hook) {
  { c.uses(hook) } -> std::same_as<bool>;
  { c.needs() } -> std::same_as<Need>;
  { c.describe() } -> std::same_as<std::vector<PolicyDescription>>;
};

/// Mitigations known by type, in order. Errors: the constructor throws UsageError for an option out
/// of range.
template <class... Ms>
class Stack : public detail::Joined<Stack<Ms...>> {
  static_assert((explain<Ms>() && ...));

 public:
  Stack() requires(sizeof...(Ms) == 0) = default;
  explicit Stack(Ms... policies) requires(sizeof...(Ms) > 0) : policies_(std::move(policies)...) {
    each<Hook::none>([](auto& m, std::size_t) { detail::check_policy(m); });
  }

  /// True where a policy has the hook, and its options leave it on.
  bool uses(Hook hook) const {
    return std::apply([&](const auto&... m) { return (has(detail::hooks_of(m), hook) || ...); },
                      policies_);
  }
  static constexpr Need needs() { return (Need::none | ... | Ms::needs); }
  static constexpr std::size_t size() { return sizeof...(Ms); }

  /// Names and options, in order.
  std::vector<PolicyDescription> describe() const {
    std::vector<PolicyDescription> all;
    each<Hook::none>([&]<class M>(const M& m, std::size_t) {
      all.push_back({std::string(M::name), list_options(m.options), M::needs, detail::hooks_of(m),
                     detail::taps_of<M>(), detail::is_elementwise<M>});
    });
    return all;
  }

  /// The policy at place `I`, e.g. to read what it measured.
  template <std::size_t I>
  const auto& get() const {
    return std::get<I>(policies_);
  }

  /// Calls `f(policy, index)` for every policy that has `hook`; for all where it is Hook::none.
  template <Hook hook, class F>
  void each(F&& f) {
    visit<hook>(policies_, f, std::index_sequence_for<Ms...>{});
  }
  template <Hook hook, class F>
  void each(F&& f) const {
    visit<hook>(policies_, f, std::index_sequence_for<Ms...>{});
  }

 private:
  template <Hook hook, std::size_t I, class M, class F>
  static void visit_one(M& m, F& f) {
    if constexpr (hook == Hook::none)
      f(m, I);
    else if constexpr (has(std::remove_const_t<M>::hooks, hook))
      if (has(detail::hooks_of(m), hook)) f(m, I);
  }
  template <Hook hook, class Tuple, class F, std::size_t... I>
  static void visit(Tuple& policies, F& f, std::index_sequence<I...>) {
    (visit_one<hook, I>(std::get<I>(policies), f), ...);
  }
  std::tuple<Ms...> policies_;
};
template <class... Ms>
Stack(Ms...) -> Stack<Ms...>;

static_assert(StackLike<Stack<>>);

}  // namespace seawall
