#pragma once
// What the kernels are written in: GCC/Clang vectors of `Bytes`, whole and partly filled.
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "seawall/model/kernels.hpp"

namespace seawall::kernels {

/// `Isa` only keeps the instantiations of different instruction sets apart.
template <class Isa, class Real, int Bytes>
struct Lanes {
  using Int = std::conditional_t<sizeof(Real) == 4, std::int32_t, std::int64_t>;
  struct Types {
    // An alias with a dependent vector_size is scalar under GCC 12.
    typedef Real Lane __attribute__((vector_size(Bytes)));  // NOLINT(modernize-use-using)
    typedef Int Bits __attribute__((vector_size(Bytes)));   // NOLINT(modernize-use-using)
    typedef std::uint32_t Unsigned __attribute__((vector_size(Bytes)));  // NOLINT
    typedef std::uint16_t Half __attribute__((vector_size(Bytes / 2)));  // NOLINT
  };
  using V = typename Types::Lane;
  using B = typename Types::Bits;
  using U = typename Types::Unsigned;
  static constexpr Index W = Bytes / sizeof(Real);

  static V load(const Real* p) {
    V v;
    std::memcpy(&v, p, Bytes);
    return v;
  }
  static void store(Real* p, V v) { std::memcpy(p, &v, Bytes); }
  static V load(const Bf16* p) {
    typename Types::Half half;
    std::memcpy(&half, p, sizeof half);
    return __builtin_bit_cast(V, __builtin_convertvector(half, U) << 16);
  }
  static void store(Bf16* p, V v) {
    const auto half =
        __builtin_convertvector(__builtin_bit_cast(U, nearest(v)) >> 16, typename Types::Half);
    std::memcpy(p, &half, sizeof half);
  }
  /// The nearest bf16 values, ties to even; NaN stays NaN.
  static V nearest(V v) {
    const U bits = __builtin_bit_cast(U, v);
    const U rounded = (bits + (0x7fff + ((bits >> 16) & 1))) & 0xffff0000;
    return v == v ? __builtin_bit_cast(V, rounded) : __builtin_bit_cast(V, bits | 0x400000);
  }
  static V fill(Real x) { return x - V{}; }
  static V load_part(const Bf16* p, Index n, Real) {
    Bf16 row[W] = {};
    for (Index i = 0; i < n; ++i) row[i] = p[i];
    return load(row);
  }
  static void store_part(Bf16* p, V v, Index n) {
    Bf16 row[W];
    store(row, v);
    for (Index i = 0; i < n; ++i) p[i] = row[i];
  }
  static V load_part(const Real* p, Index n, Real pad) {
    V v = fill(pad);
    for (Index i = 0; i < n; ++i) v[i] = p[i];
    return v;
  }
  static void store_part(Real* p, V v, Index n) {
    for (Index i = 0; i < n; ++i) p[i] = v[i];
  }
  static Real total(V v) {
    Real part[W];
    store(part, v);
#pragma GCC unroll 4
    for (Index half = W / 2; half > 0; half /= 2)
      for (Index i = 0; i < half; ++i) part[i] += part[i + half];
    return part[0];
  }
  static V larger(V a, V b) { return a > b ? a : b; }
  static Real largest(V v) {
    Real s = v[0];
    for (Index i = 1; i < W; ++i) s = v[i] > s ? v[i] : s;
    return s;
  }
  static Real square_root(Real x) {
    if constexpr (sizeof(Real) == 4)
      return __builtin_sqrtf(x);
    else
      return __builtin_sqrt(x);
  }
  static Real logarithm(Real x) {
    if constexpr (sizeof(Real) == 4)
      return __builtin_logf(x);
    else
      return __builtin_log(x);
  }

  /// e^x by Cody-Waite reduction and a Taylor polynomial on |r| <= ln2/2: within 2 ulp; 0 below the
  /// smallest normal.
  static V exponential(V x) {
    constexpr bool single = sizeof(Real) == 4;
    constexpr Real low = single ? Real(-87.33) : Real(-708.3),
                   high = single ? Real(88.3) : Real(709.0);
    constexpr Real magic =
        single ? Real(12582912.0) : Real(6755399441055744.0);  // 1.5 * 2^(mantissa bits)
    constexpr Real ln2_high = single ? Real(0.693359375) : Real(0.693147180369123816490);
    constexpr Real ln2_low = single ? Real(-2.12194440e-4) : Real(1.90821492927058770002e-10);
    constexpr int mantissa = single ? 23 : 52, bias = single ? 127 : 1023, degree = single ? 7 : 13;
    const B underflow = x < fill(low);
    x = x > fill(high) ? fill(high) : x;
    x = underflow ? fill(low) : x;
    const V shifted = x * Real(1.44269504088896340736) + magic;
    const V whole = shifted - magic;
    const V r = (x - whole * ln2_high) - whole * ln2_low;
    V p = fill(inverse_factorial(degree));
    for (int i = degree - 1; i >= 0; --i) p = p * r + inverse_factorial(i);
    const B power = ((__builtin_bit_cast(B, shifted) - __builtin_bit_cast(B, fill(magic))) + bias)
                    << mantissa;
    const V out = p * __builtin_bit_cast(V, power);
    return underflow ? V{} : out;
  }
  static constexpr Real inverse_factorial(int n) {
    double f = 1;
    for (int i = 2; i <= n; ++i) f *= i;
    return static_cast<Real>(1 / f);
  }

  static Real sum_of_products(const Real* a, const Real* b, Index n) {
    V s0{}, s1{};
    Index i = 0;
    for (; i + 2 * W <= n; i += 2 * W) {
      s0 += load(a + i) * load(b + i);
      s1 += load(a + i + W) * load(b + i + W);
    }
    for (; i + W <= n; i += W) s0 += load(a + i) * load(b + i);
    Real s = total(s0 + s1);
    for (; i < n; ++i) s += a[i] * b[i];
    return s;
  }
  /// Calls f(offset, load, store) over [0, n) a vector at a time, the last one partly filled with
  /// `pad`.
  template <class F>
  static void sweep(Index n, Real pad, F&& f) {
    Index i = 0;
    for (; i + W <= n; i += W)
      f(
          i, [i](const auto* p) { return load(p + i); }, [i](auto* p, V v) { store(p + i, v); });
    const Index rest = n - i;
    if (rest > 0)
      f(
          i, [i, rest, pad](const auto* p) { return load_part(p + i, rest, pad); },
          [i, rest](auto* p, V v) { store_part(p + i, v, rest); });
  }

  template <int... I>
  static V interleave(V a, V b, Index from, std::integer_sequence<int, I...>) {
    const B low = {(I % 2 ? static_cast<Int>(W) + I / 2 : I / 2)...};
    const B places = low + static_cast<Int>(from);
#ifdef __clang__
    return V{(places[I] < W ? a[places[I]] : b[places[I] - W])...};
#else
    return __builtin_shuffle(a, b, places);
#endif
  }
  /// Transposes W vectors: log2(W) perfect shuffles.
  static void transpose(V (&v)[W]) {
    V next[W];
#pragma GCC unroll 8
    for (Index stage = 1; stage < W; stage *= 2) {
#pragma GCC unroll 16
      for (Index i = 0; i < W / 2; ++i) {
        constexpr auto lanes = std::make_integer_sequence<int, static_cast<int>(W)>{};
        next[2 * i] = interleave(v[i], v[i + W / 2], 0, lanes);
        next[2 * i + 1] = interleave(v[i], v[i + W / 2], W / 2, lanes);
      }
#pragma GCC unroll 16
      for (Index i = 0; i < W; ++i) v[i] = next[i];
    }
  }

  static void round(Real* x, Index n) {
    sweep(n, 0, [&](Index, auto get, auto put) { put(x, nearest(get(x))); });
  }
  static void widen(Real* y, const Bf16* x, Index n) {
    sweep(n, 0, [&](Index, auto get, auto put) { put(y, get(x)); });
  }
  static void narrow(Bf16* y, const Real* x, Index n) {
    sweep(n, 0, [&](Index, auto get, auto put) { put(y, get(x)); });
  }
};

}  // namespace seawall::kernels
