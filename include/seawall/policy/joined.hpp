#pragma once
// How the hooks of several policies join: for Stack and AnyStack alike, as the block of each hook
// says.
#include <algorithm>
#include <string>
#include <vector>

#include "seawall/policy/mitigation.hpp"

namespace seawall::detail {

template <class Derived, class List>
struct Joins;
template <class Derived, class... Blocks>
struct Joins<Derived, TypeList<Blocks...>> : Blocks::template Join<Derived>... {};

/// The joins, over what `Derived::each<hook>(f)` gives: `f(policy, index)` for every policy that
/// has the hook, in order.
template <class Derived>
class Joined : public Joins<Derived, HookBlocks> {
 public:
  /// One name per policy: `weight-drift`, and `weight-drift-2` for a second of the same kind.
  std::vector<std::string> groups() const {
    std::vector<std::string> names;
    for (const auto& policy : self().describe()) {
      std::string name = policy.name;
      for (int n = 2; std::find(names.begin(), names.end(), name) != names.end(); ++n)
        name = policy.name + "-" + std::to_string(n);
      names.push_back(std::move(name));
    }
    return names;
  }

  /// The conditions of all policies that have some, each with each; empty if none has.
  std::vector<Condition> conditions() const {
    std::vector<Condition> all;
    self().template each<Hook::none>([&](auto& m, std::size_t) {
      if constexpr (requires { m.conditions(); }) all = crossed(all, m.conditions());
    });
    return all;
  }

  /// What each policy measured, under its group's name: `data-audit_flagged`.
  Measured measured() const {
    const auto names = groups();
    Measured all;
    self().template each<Hook::none>([&](auto& m, std::size_t i) {
      if constexpr (requires { m.measured(); })
        for (auto& [name, value] : m.measured()) all.emplace_back(names[i] + "_" + name, value);
    });
    return all;
  }

 private:
  const Derived& self() const { return static_cast<const Derived&>(*this); }
};

}  // namespace seawall::detail
