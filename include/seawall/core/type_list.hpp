#pragma once
// A list of types to make tables from.
#include <cstddef>

namespace seawall {

template <class... Ts>
struct TypeList {
  static constexpr std::size_t size = sizeof...(Ts);
  /// Calls `f.template operator()<T>()` for each T in order.
  template <class F>
  static constexpr void for_each(F&& f) {
    (f.template operator()<Ts>(), ...);
  }
};

namespace detail {
template <class List, class... Ts>
struct AppendTo;
template <class... Us, class... Ts>
struct AppendTo<TypeList<Us...>, Ts...> {
  using type = TypeList<Us..., Ts...>;
};
}  // namespace detail

/// `List` with more types behind it: how a plug-in outside the tree extends a catalogue.
template <class List, class... Ts>
using Append = typename detail::AppendTo<List, Ts...>::type;

}  // namespace seawall
