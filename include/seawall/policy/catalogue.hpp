#pragma once
// The policies that can be named: constexpr tables made from lists of types, passed to the command
// line as values.
//
//   using Mitigations = TypeList<SafetyMixing, WeightDrift>;
//   constexpr MitigationCatalogue catalogue = mitigation_catalogue_of(Mitigations{});
//   AnyMitigation m = catalogue.make("weight-drift", {{"lambda", "1e-2"}});
//
// A plug-in outside the tree extends a list with `Append<Mitigations, MyDefence>` and passes the
// catalogue made from it.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/core/catalogue.hpp"
#include "seawall/policy/any.hpp"

namespace seawall {

/// Options as they were typed, by name, in order; the last of a name holds.
using OptionTexts = std::vector<std::pair<std::string, std::string>>;

/// For plug-ins that have none.
struct NoOptions {
  static constexpr void visit(auto&, auto&&) {}
};

/// One row of a catalogue of attacks or mitigations.
template <class Any>
struct CatalogueEntry {
  std::string_view name, summary;
  Need needs = Need::none;
  Hook hooks = Hook::none;  // none for attacks
  /// Names, values with these texts, help and ranges. Errors: UsageError.
  std::vector<OptionValue> (*options)(const OptionTexts& texts) = nullptr;
  Any (*make)(const OptionTexts& options) = nullptr;
};

namespace detail {

/// A policy with these options. Errors: UsageError.
template <class P>
P with_options(const OptionTexts& texts) {
  P policy;
  for (const auto& [name, text] : texts) set_option(policy.options, P::name, name, text);
  check_policy(policy);
  return policy;
}

/// All of its options as they are then. Errors: UsageError.
template <class P>
std::vector<OptionValue> options_with(const OptionTexts& texts) {
  return list_options(with_options<P>(texts).options);
}

template <class Any>
struct PolicyRow {
  template <class P>
  static constexpr CatalogueEntry<Any> of() {
    Hook hooks = Hook::none;
    if constexpr (HasHooks<P>) hooks = P::hooks;
    return {P::name,         P::summary,
            P::needs,        hooks,
            options_with<P>, [](const OptionTexts& texts) { return Any(with_options<P>(texts)); }};
  }
};

}  // namespace detail

/// Policies by name.
template <class Any>
class PolicyCatalogue : public Catalogue<CatalogueEntry<Any>> {
 public:
  using Catalogue<CatalogueEntry<Any>>::Catalogue;
  /// Errors: UsageError for an unknown name or option, and for a value that cannot be read or is
  /// out of range.
  Any make(std::string_view name, const OptionTexts& options = {}) const {
    return this->find(name).make(options);
  }
};
using AttackCatalogue = PolicyCatalogue<AnyAttack>;
using MitigationCatalogue = PolicyCatalogue<AnyMitigation>;

template <class... As>
constexpr AttackCatalogue attack_catalogue_of(TypeList<As...>) {
  static_assert((explain_attack<As>() && ...));
  return {"attack", detail::CatalogueTable<detail::PolicyRow<AnyAttack>, CatalogueEntry<AnyAttack>,
                                           TypeList<As...>>::entries};
}
template <class... Ms>
constexpr MitigationCatalogue mitigation_catalogue_of(TypeList<Ms...>) {
  static_assert((explain<Ms>() && ...));
  return {"mitigation",
          detail::CatalogueTable<detail::PolicyRow<AnyMitigation>, CatalogueEntry<AnyMitigation>,
                                 TypeList<Ms...>>::entries};
}

/// The words of a set of hooks or needs, in the order of hooks.hpp: for `list`, `describe` and
/// error texts.
std::vector<std::string_view> hook_names(Hook hooks);
std::vector<std::string_view> need_names(Need needs);

}  // namespace seawall
