#pragma once
// An attack known by name at run time.
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/policy/attack.hpp"

namespace seawall {

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
  std::vector<StagePlan> stages(const Context& context, Rng& rng) const {
    return held_->stages(context, rng);
  }
  /// Whether it edits weights and trains on nothing.
  bool tampers() const { return held_->tampers(); }
  void tamper(Trainer& trainer) const { held_->tamper(trainer); }
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
    virtual std::vector<StagePlan> stages(const Context& context, Rng& rng) const = 0;
    virtual bool tampers() const = 0;
    virtual void tamper(Trainer& trainer) const = 0;
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
    std::vector<StagePlan> stages(const Context& context, Rng& rng) const override {
      return stages_of(attack, context, rng);
    }
    bool tampers() const override { return detail::Tampers<A>; }
    void tamper(Trainer& trainer) const override {
      if constexpr (detail::Tampers<A>) attack.tamper(trainer);
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
inline std::vector<StagePlan> stages_of(const AnyAttack& attack, const Context& context, Rng& rng) {
  return attack.stages(context, rng);
}
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
  { stages_of(a, context, rng) } -> std::same_as<std::vector<StagePlan>>;
};
static_assert(AttackLike<AnyAttack>);

}  // namespace seawall
