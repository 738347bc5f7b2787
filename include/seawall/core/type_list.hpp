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

}  // namespace seawall
