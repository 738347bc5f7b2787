#pragma once
// Mitigations known by name at run time: the same joins as those of types, over erased policies.
#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/policy/any_attack.hpp"
#include "seawall/policy/stack.hpp"

namespace seawall {

namespace detail {

template <class List>
struct VirtualHooks;
template <class... Blocks>
struct VirtualHooks<TypeList<Blocks...>> : Blocks::template Virtual<Blocks>... {
  using Blocks::template Virtual<Blocks>::ask...;
};

/// A mitigation whose type is not known: every hook, and what it says of itself.
struct ErasedMitigation : VirtualHooks<HookBlocks> {
  virtual std::unique_ptr<ErasedMitigation> clone() const = 0;
  virtual std::string_view name() const = 0;
  virtual bool uses(Hook hook) const = 0;
  virtual Need needs() const = 0;
  virtual Taps taps() const = 0;
  virtual PolicyDescription describe() const = 0;
  virtual Measured measured() const = 0;
  virtual std::vector<Condition> conditions() const = 0;
};

/// A hook that the policy does not have is never asked (`uses`).
template <class M>
struct HeldPolicy : ErasedMitigation {
  explicit HeldPolicy(M held) : policy(std::move(held)) {
    static_assert(explain<M>());
    check_policy(policy);
  }
  std::string_view name() const final { return M::name; }
  bool uses(Hook hook) const final { return has(hooks_of(policy), hook); }
  Need needs() const final { return M::needs; }
  Taps taps() const final { return taps_of<M>(); }
  PolicyDescription describe() const final {
    return {std::string(M::name),
            list_options(policy.options),
            M::needs,
            hooks_of(policy),
            taps_of<M>(),
            is_elementwise<M>};
  }
  Measured measured() const final {
    if constexpr (requires { policy.measured(); })
      return policy.measured();
    else
      return {};
  }
  std::vector<Condition> conditions() const final {
    if constexpr (requires { policy.conditions(); })
      return policy.conditions();
    else
      return {};
  }
  M policy;
};

/// Base, then one layer per hook.
template <class Base, class List>
struct Layers;
template <class Base>
struct Layers<Base, TypeList<>> {
  using type = Base;
};
template <class Base, class Block, class... Rest>
struct Layers<Base, TypeList<Block, Rest...>> {
  using type = typename Block::template Held<Block, typename Layers<Base, TypeList<Rest...>>::type>;
};

template <class M>
struct Held final : Layers<HeldPolicy<M>, HookBlocks>::type {
  explicit Held(M policy) : Layers<HeldPolicy<M>, HookBlocks>::type(std::move(policy)) {}
  std::unique_ptr<ErasedMitigation> clone() const final { return std::make_unique<Held>(*this); }
};

}  // namespace detail

/// Any one mitigation, by value: a copy is a policy of its own.
class AnyMitigation {
 public:
  /// Errors: UsageError for an option out of range.
  template <class M>
  requires(!std::same_as<M, AnyMitigation>) explicit AnyMitigation(M policy)
      : held_(std::make_unique<detail::Held<M>>(std::move(policy))) {}
  AnyMitigation(const AnyMitigation& other) : held_(other.held_->clone()) {}
  AnyMitigation(AnyMitigation&&) noexcept = default;
  AnyMitigation& operator=(AnyMitigation other) noexcept {
    held_ = std::move(other.held_);
    return *this;
  }
  ~AnyMitigation() = default;

  std::string_view name() const { return held_->name(); }
  bool uses(Hook hook) const { return held_->uses(hook); }
  Need needs() const { return held_->needs(); }
  PolicyDescription describe() const { return held_->describe(); }
  Measured measured() const { return held_->measured(); }
  std::vector<Condition> conditions() const { return held_->conditions(); }
  detail::ErasedMitigation& erased() { return *held_; }
  const detail::ErasedMitigation& erased() const { return *held_; }

 private:
  std::unique_ptr<detail::ErasedMitigation> held_;
};

/// Mitigations chosen at run time, in order; joins as Stack does.
class AnyStack : public detail::Joined<AnyStack> {
 public:
  AnyStack() = default;
  explicit AnyStack(std::vector<AnyMitigation> policies) : policies_(std::move(policies)) {}
  void push_back(AnyMitigation policy) { policies_.push_back(std::move(policy)); }

  bool uses(Hook hook) const {
    return std::any_of(policies_.begin(), policies_.end(),
                       [&](const auto& m) { return m.uses(hook); });
  }
  Need needs() const {
    Need all = Need::none;
    for (const auto& m : policies_) all = all | m.needs();
    return all;
  }
  std::size_t size() const { return policies_.size(); }
  std::vector<PolicyDescription> describe() const {
    std::vector<PolicyDescription> all;
    for (const auto& m : policies_) all.push_back(m.describe());
    return all;
  }

  template <Hook hook, class F>
  void each(F&& f) {
    for (std::size_t i = 0; i < policies_.size(); ++i)
      if (hook == Hook::none || policies_[i].uses(hook)) f(policies_[i].erased(), i);
  }
  template <Hook hook, class F>
  void each(F&& f) const {
    for (std::size_t i = 0; i < policies_.size(); ++i)
      if (hook == Hook::none || policies_[i].uses(hook)) f(policies_[i].erased(), i);
  }

 private:
  std::vector<AnyMitigation> policies_;
};
static_assert(StackLike<AnyStack>);

}  // namespace seawall
