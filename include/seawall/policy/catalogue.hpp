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
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/core/type_list.hpp"
#include "seawall/policy/any.hpp"

namespace seawall {

/// Options as they were typed, by name, in order; the last of a name holds.
using OptionTexts = std::vector<std::pair<std::string, std::string>>;

/// One row of a catalogue. `hooks` is Hook::none for attacks and judges, `needs` Need::none for
/// judges.
template <class Any>
struct CatalogueEntry {
  std::string_view name, summary;
  Need needs = Need::none;
  Hook hooks = Hook::none;
  std::vector<OptionValue> (*options)() = nullptr;  // names, defaults, help and ranges
  Any (*make)(const OptionTexts& options) = nullptr;
};

namespace detail {
[[noreturn]] void unknown_policy(std::string_view kind, std::string_view name,
                                 const std::vector<std::string_view>& known);

template <class Any, class P>
struct MakeAny {
  static Any of(P policy) { return Any(std::move(policy)); }
};

template <class Any, class P>
constexpr CatalogueEntry<Any> entry_of() {
  Hook hooks = Hook::none;
  Need needs = Need::none;
  if constexpr (HasHooks<P>) hooks = P::hooks;
  if constexpr (HasNeeds<P>) needs = P::needs;
  return {P::name,
          P::summary,
          needs,
          hooks,
          [] {
            const typename P::Options options;
            return list_options(options);
          },
          [](const OptionTexts& texts) {
            P policy;
            for (const auto& [name, text] : texts) set_option(policy.options, P::name, name, text);
            return MakeAny<Any, P>::of(std::move(policy));
          }};
}

/// True where no two names are the same and each is kebab-case, so that it can be typed.
template <class... Ps>
consteval bool names_are_good() {
  const std::array<std::string_view, sizeof...(Ps)> names{Ps::name...};
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) return false;
    for (const char c : names[i])
      if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return false;
    for (std::size_t j = 0; j < i; ++j)
      if (names[i] == names[j]) return false;
  }
  return true;
}

template <class Any, class List>
struct Table;
template <class Any, class... Ps>
struct Table<Any, TypeList<Ps...>> {
  static_assert(names_are_good<Ps...>(),
                "catalogue: want names in kebab-case, no two of them the same");
  static constexpr std::array<CatalogueEntry<Any>, sizeof...(Ps)> entries{entry_of<Any, Ps>()...};
};
}  // namespace detail

/// Policies by name. A small value: a view of a constexpr table.
template <class Any>
class Catalogue {
 public:
  /// `kind` is the word that errors use: `attack`, `mitigation` or `judge`.
  constexpr Catalogue(std::string_view kind, std::span<const CatalogueEntry<Any>> entries)
      : kind_(kind), entries_(entries) {}

  constexpr std::string_view kind() const { return kind_; }
  constexpr std::span<const CatalogueEntry<Any>> entries() const { return entries_; }
  constexpr bool contains(std::string_view name) const {
    for (const auto& entry : entries_)
      if (entry.name == name) return true;
    return false;
  }
  std::vector<std::string_view> names() const {
    std::vector<std::string_view> all;
    for (const auto& entry : entries_) all.push_back(entry.name);
    return all;
  }
  /// Errors: UsageError with the nearest name and the names there are.
  const CatalogueEntry<Any>& find(std::string_view name) const {
    for (const auto& entry : entries_)
      if (entry.name == name) return entry;
    detail::unknown_policy(kind_, name, names());
  }
  /// Errors: UsageError for an unknown name or option, and for a value that cannot be read or is
  /// out of range.
  Any make(std::string_view name, const OptionTexts& options = {}) const {
    return find(name).make(options);
  }

 private:
  std::string_view kind_;
  std::span<const CatalogueEntry<Any>> entries_;
};
using AttackCatalogue = Catalogue<AnyAttack>;
using MitigationCatalogue = Catalogue<AnyMitigation>;

template <class... As>
constexpr AttackCatalogue attack_catalogue_of(TypeList<As...>) {
  static_assert((explain_attack<As>() && ...));
  return {"attack", detail::Table<AnyAttack, TypeList<As...>>::entries};
}
template <class... Ms>
constexpr MitigationCatalogue mitigation_catalogue_of(TypeList<Ms...>) {
  static_assert((explain<Ms>() && ...));
  return {"mitigation", detail::Table<AnyMitigation, TypeList<Ms...>>::entries};
}

/// The words of a set of hooks or needs, in the order of hooks.hpp: for `list`, `describe` and
/// error texts.
std::vector<std::string_view> hook_names(Hook hooks);
std::vector<std::string_view> need_names(Need needs);

}  // namespace seawall
