#pragma once
// Plug-ins of one kind by name: a view of a constexpr table, passed to programs as a value. All six
// kinds have it: attacks, mitigations, judges, readers, scenarios and model families.
#include <array>
#include <concepts>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/core/type_list.hpp"

namespace seawall {
namespace detail {

[[noreturn]] void unknown_name(std::string_view kind, std::string_view name,
                               const std::vector<std::string_view>& known);

template <class P>
concept HasName = requires {
  { P::name } -> std::convertible_to<std::string_view>;
  { P::summary } -> std::convertible_to<std::string_view>;
};

consteval bool is_kebab_case(std::string_view name) {
  if (name.empty()) return false;
  for (const char c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return false;
  return true;
}

/// The name of P is bad: the compiler's message about it shows P.
template <class P>
consteval bool has_good_name() {
  static_assert(is_kebab_case(P::name), "catalogue: want a name in kebab-case");
  return true;
}
template <class P, class Q>
consteval bool have_other_names() {
  static_assert(P::name != Q::name, "catalogue: want names of which no two are the same");
  return true;
}
template <class P, class... Rest>
consteval bool names_are_good() {
  bool good = has_good_name<P>() && (have_other_names<P, Rest>() && ... && true);
  if constexpr (sizeof...(Rest) > 0) good = good && names_are_good<Rest...>();
  return good;
}

/// The rows of a list of plug-ins, made by `Row::of<P>()`.
template <class Row, class Entry, class List>
struct CatalogueTable;
template <class Row, class Entry, class... Ps>
struct CatalogueTable<Row, Entry, TypeList<Ps...>> {
  static consteval bool good() {
    if constexpr (sizeof...(Ps) > 0) return names_are_good<Ps...>();
    return true;
  }
  static_assert(good());
  static constexpr std::array<Entry, sizeof...(Ps)> entries{Row::template of<Ps>()...};
};

}  // namespace detail

// How an entry is listed. Entries that are no structs with these members bring their own overloads.
template <class Entry>
constexpr std::string_view entry_name(const Entry& entry) {
  return entry.name;
}
template <class Entry>
constexpr std::string_view entry_summary(const Entry& entry) {
  return entry.summary;
}

template <class Entry>
class Catalogue {
 public:
  /// `kind` is the word that errors use, e.g. `attack`.
  constexpr Catalogue(std::string_view kind, std::span<const Entry> entries)
      : kind_(kind), entries_(entries) {}

  constexpr std::string_view kind() const { return kind_; }
  constexpr std::span<const Entry> entries() const { return entries_; }
  /// Null if no entry has this name.
  constexpr const Entry* look_up(std::string_view name) const {
    for (const auto& entry : entries_)
      if (entry_name(entry) == name) return &entry;
    return nullptr;
  }
  constexpr bool contains(std::string_view name) const { return look_up(name) != nullptr; }
  std::vector<std::string_view> names() const {
    std::vector<std::string_view> all;
    for (const auto& entry : entries_) all.push_back(entry_name(entry));
    return all;
  }
  /// Errors: UsageError with the nearest name and the names there are.
  const Entry& find(std::string_view name) const {
    if (const auto* entry = look_up(name)) return *entry;
    detail::unknown_name(kind_, name, names());
  }

 private:
  std::string_view kind_;
  std::span<const Entry> entries_;
};

}  // namespace seawall
