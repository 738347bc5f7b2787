#pragma once
// Policies known by name at run time: the same joins as those of types, over erased policies.
#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/policy/attack.hpp"
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
  virtual PolicyDescription describe() const = 0;
  virtual Measured measured() const = 0;
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
  PolicyDescription describe() const final {
    return {std::string(M::name), list_options(policy.options), M::needs, hooks_of(policy)};
  }
  Measured measured() const final {
    if constexpr (requires { policy.measured(); })
      return policy.measured();
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

/// Any one attack, by value.
class AnyAttack {
 public:
  /// Errors: UsageError for an option out of range.
  template <class A>
  requires(!std::same_as<A, AnyAttack>) explicit AnyAttack(A attack)
      : held_(std::make_unique<Held<A>>(std::move(attack))) {}
  AnyAttack(const AnyAttack& other) : held_(other.held_->clone()) {}
  AnyAttack(AnyAttack&&) noexcept = default;
  AnyAttack& operator=(AnyAttack other) noexcept {
    held_ = std::move(other.held_);
    return *this;
  }
  ~AnyAttack() = default;

  std::string_view name() const { return held_->name(); }
  Need needs() const { return held_->needs(); }
  PolicyDescription describe() const { return held_->describe(); }
  Dataset craft(const Context& context, Rng& rng) const { return held_->craft(context, rng); }
  TrainDefaults defaults() const { return held_->defaults(); }
  std::vector<Condition> conditions() const { return held_->conditions(); }
  Dialogue prompt(const Probe& probe, const Condition& condition, const Scenario& scenario) const {
    return held_->prompt(probe, condition, scenario);
  }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual std::unique_ptr<Base> clone() const = 0;
    virtual std::string_view name() const = 0;
    virtual Need needs() const = 0;
    virtual PolicyDescription describe() const = 0;
    virtual TrainDefaults defaults() const = 0;
    virtual Dataset craft(const Context& context, Rng& rng) const = 0;
    virtual std::vector<Condition> conditions() const = 0;
    virtual Dialogue prompt(const Probe& probe, const Condition& condition,
                            const Scenario& scenario) const = 0;
  };
  template <class A>
  struct Held final : Base {
    explicit Held(A a) : attack(std::move(a)) { check_attack(attack); }
    std::unique_ptr<Base> clone() const override { return std::make_unique<Held>(*this); }
    std::string_view name() const override { return A::name; }
    Need needs() const override { return A::needs; }
    PolicyDescription describe() const override { return describe_attack(attack); }
    TrainDefaults defaults() const override { return defaults_of(attack); }
    Dataset craft(const Context& context, Rng& rng) const override {
      return attack.craft(context, rng);
    }
    std::vector<Condition> conditions() const override { return conditions_of(attack); }
    Dialogue prompt(const Probe& probe, const Condition& condition,
                    const Scenario& scenario) const override {
      return prompt_of(attack, probe, condition, scenario);
    }
    A attack;
  };
  std::unique_ptr<Base> held_;
};

// The same words for both doors of an attack.
inline std::string_view name_of(const AnyAttack& attack) { return attack.name(); }
inline Need needs_of(const AnyAttack& attack) { return attack.needs(); }
inline PolicyDescription describe_attack(const AnyAttack& attack) { return attack.describe(); }
inline TrainDefaults defaults_of(const AnyAttack& attack) { return attack.defaults(); }
inline void check_attack(const AnyAttack&) {}  // done when it was made
inline std::vector<Condition> conditions_of(const AnyAttack& attack) { return attack.conditions(); }
inline Dialogue prompt_of(const AnyAttack& attack, const Probe& probe, const Condition& condition,
                          const Scenario& scenario) {
  return attack.prompt(probe, condition, scenario);
}

/// What a run asks of an attack: a policy struct or an AnyAttack.
template <class A>
concept AttackLike = requires(const A& a, const Probe& p, const Condition& c, const Scenario& s,
                              const Context& context, Rng& rng) {
  { name_of(a) } -> std::same_as<std::string_view>;
  { needs_of(a) } -> std::same_as<Need>;
  { describe_attack(a) } -> std::same_as<PolicyDescription>;
  check_attack(a);
  { conditions_of(a) } -> std::same_as<std::vector<Condition>>;
  { prompt_of(a, p, c, s) } -> std::same_as<Dialogue>;
  { defaults_of(a) } -> std::same_as<TrainDefaults>;
  { a.craft(context, rng) } -> std::same_as<Dataset>;
};
static_assert(AttackLike<AnyAttack>);

}  // namespace seawall
