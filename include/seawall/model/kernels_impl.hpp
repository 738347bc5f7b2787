#pragma once
// The kernels' one source, written on GCC/Clang vectors of `Bytes`; compiled once an instruction
// set (see kernels_*.cpp).
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "seawall/model/kernels.hpp"

namespace seawall::kernels {

/// `Isa` only keeps the instantiations of different instruction sets apart.
template <class Isa, class Real, int Bytes>
struct Kernels {
  using Int = std::conditional_t<sizeof(Real) == 4, std::int32_t, std::int64_t>;
  struct Types {
    typedef Real Lane __attribute__((vector_size(Bytes)));
    typedef Int Bits __attribute__((vector_size(Bytes)));
  };
  using V = typename Types::Lane;
  using B = typename Types::Bits;
  static constexpr Index W = Bytes / sizeof(Real);

  static V load(const Real* p) {
    V v;
    std::memcpy(&v, p, Bytes);
    return v;
  }
  static void store(Real* p, V v) { std::memcpy(p, &v, Bytes); }
  static V fill(Real x) { return x - V{}; }
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
          i, [i](const Real* p) { return load(p + i); }, [i](Real* p, V v) { store(p + i, v); });
    const Index rest = n - i;
    if (rest > 0)
      f(
          i, [i, rest, pad](const Real* p) { return load_part(p + i, rest, pad); },
          [i, rest](Real* p, V v) { store_part(p + i, v, rest); });
  }

  static void rms_norm(Real* y, const Real* x, const Real* w, Index rows, Index c, Real eps) {
    for (Index r = 0; r < rows; ++r, x += c, y += c) {
      const Real scale = 1 / square_root(sum_of_products(x, x, c) / static_cast<Real>(c) + eps);
      sweep(c, 0, [&](Index, auto get, auto put) { put(y, get(x) * scale * get(w)); });
    }
  }

  /// With g = dy * w and s = 1/rms: dx = s g - s^3 x (g.x)/c, dw = dy * s x.
  static void rms_norm_backward(Real* dx, Real* dw, const Real* dy, const Real* x, const Real* w,
                                Index rows, Index c, Real eps) {
    for (Index r = 0; r < rows; ++r, x += c, dx += c, dy += c) {
      V squares{}, product{};
      sweep(c, 0, [&](Index, auto get, auto) {
        const V a = get(x);
        squares += a * a;
        product += a * get(dy) * get(w);
      });
      const Real s = 1 / square_root(total(squares) / static_cast<Real>(c) + eps);
      const Real pull = s * s * s * total(product) / static_cast<Real>(c);
      sweep(c, 0, [&](Index, auto get, auto put) {
        put(dx, get(dx) + get(dy) * get(w) * s - get(x) * pull);
      });
      if (dw)
        sweep(c, 0, [&](Index, auto get, auto put) { put(dw, get(dw) + get(dy) * get(x) * s); });
    }
  }

  static void rope(Real* row, const Real* cos, const Real* sin, Index heads, Index d, Real sign) {
    const Index half = d / 2;
    for (Index h = 0; h < heads; ++h, row += d)
      sweep(half, 0, [&](Index, auto get, auto put) {
        const V a = get(row), b = get(row + half), c = get(cos), s = get(sin) * sign;
        put(row, a * c - b * s);
        put(row + half, b * c + a * s);
      });
  }

  static void silu_mul(Real* h, const Real* gate, const Real* up, Index n) {
    sweep(n, 0, [&](Index, auto get, auto put) {
      const V g = get(gate);
      put(h, g / (1 + exponential(-g)) * get(up));
    });
  }

  static void silu_mul_backward(Real* gate, Real* up, const Real* dh, Real* h, Index n) {
    sweep(n, 0, [&](Index, auto get, auto put) {
      const V g = get(gate), u = get(up), d = get(dh);
      const V sigmoid = 1 / (1 + exponential(-g)), silu = g * sigmoid;
      put(h, silu * u);
      put(gate, d * u * (sigmoid + silu * (1 - sigmoid)));
      put(up, d * silu);
    });
  }

  static Real maximum(const Real* x, Index n) {
    constexpr Real lowest = -std::numeric_limits<Real>::infinity();
    V top = fill(lowest);
    sweep(n, lowest, [&](Index, auto get, auto) { top = larger(get(x), top); });
    return largest(top);
  }

  static Real softmax(Real* s, Real scale, Index n, Index end) {
    constexpr Real lowest = -std::numeric_limits<Real>::infinity();
    const Real top = maximum(s, n) * scale;
    V sum{};
    sweep(n, lowest, [&](Index, auto get, auto put) {
      const V e = exponential(get(s) * scale - top);
      sum += e;
      put(s, e);
    });
    const Real all = total(sum), inverse = 1 / all;
    sweep(n, 0, [&](Index, auto get, auto put) { put(s, get(s) * inverse); });
    for (Index i = n; i < end; ++i) s[i] = 0;
    return top + logarithm(all);
  }

  static void softmax_backward(Real* s, Real* dp, Real scale, Real lse, Real delta, Index n,
                               Index end) {
    sweep(n, 0, [&](Index, auto get, auto put) {
      const V p = exponential(get(s) * scale - lse);
      put(s, p);
      put(dp, p * (get(dp) - delta) * scale);
    });
    for (Index i = n; i < end; ++i) s[i] = dp[i] = 0;
  }

  static Real log_sum_exp(const Real* x, Index n) {
    constexpr Real lowest = -std::numeric_limits<Real>::infinity();
    const Real top = maximum(x, n);
    V sum{};
    sweep(n, lowest, [&](Index, auto get, auto) { sum += exponential(get(x) - top); });
    return top + logarithm(total(sum));
  }

  static void scaled_exp(Real* x, Real lse, Real scale, Index n) {
    sweep(n, 0, [&](Index, auto get, auto put) { put(x, exponential(get(x) - lse) * scale); });
  }

  static Index argmax(const Real* x, Index n) {
    const Real top = maximum(x, n);
    for (Index i = 0; i < n; ++i)
      if (x[i] == top) return i;
    return 0;
  }

  static void scores(const Real* q, const Real* k, Index stride, Index m, Index d, Real* out) {
    for (Index t = 0; t < m; t += 2 * W) {
      V a0{}, a1{}, b0{}, b1{};  // two chains each, to hide the latency of the sum
      Index i = 0;
      const Real* column = k + t;
      for (; i + 2 <= d; i += 2, column += 2 * stride) {
        const V even = fill(q[i]), odd = fill(q[i + 1]);
        a0 += even * load(column);
        a1 += even * load(column + W);
        b0 += odd * load(column + stride);
        b1 += odd * load(column + stride + W);
      }
      if (i < d) {
        a0 += q[i] * load(column);
        a1 += q[i] * load(column + W);
      }
      store(out + t, a0 + b0);
      store(out + t + W, a1 + b1);
    }
  }

  template <int Vectors>
  static void weigh_columns(const Real* p, const Real* v, Index m, Index d, Real* out) {
    V even[Vectors], odd[Vectors];
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) {
      even[j] = load(out + j * W);
      odd[j] = V{};
    }
    Index t = 0;
    for (; t + 2 <= m; t += 2) {
      const V p0 = fill(p[t]), p1 = fill(p[t + 1]);
#pragma GCC unroll 4
      for (int j = 0; j < Vectors; ++j) {
        even[j] += p0 * load(v + t * d + j * W);
        odd[j] += p1 * load(v + (t + 1) * d + j * W);
      }
    }
    for (; t < m; ++t)
#pragma GCC unroll 4
      for (int j = 0; j < Vectors; ++j) even[j] += p[t] * load(v + t * d + j * W);
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) store(out + j * W, even[j] + odd[j]);
  }

  static void weigh(const Real* p, const Real* v, Index m, Index d, Real* out) {
    Index c = 0;
    for (; c + 4 * W <= d; c += 4 * W) weigh_columns<4>(p, v + c, m, d, out + c);
    for (; c + 2 * W <= d; c += 2 * W) weigh_columns<2>(p, v + c, m, d, out + c);
    for (; c + W <= d; c += W) weigh_columns<1>(p, v + c, m, d, out + c);
    for (; c < d; ++c)
      for (Index t = 0; t < m; ++t) out[c] += p[t] * v[t * d + c];
  }

  static constexpr Index panel = 2 * W;
  // Two vectors a row fill the registers: 32 of AVX-512, 16 elsewhere.
  static constexpr int tile_rows = Bytes == 64 ? 14 : 6;

  template <int Rows>
  static void multiply_tile(const Product<Real>& p, const Real* a, const Real* b, Real* c,
                            Index columns) {
    V left[Rows], right[Rows];
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) left[r] = right[r] = V{};
    for (Index i = 0; i < p.k; ++i, b += panel) {
      const V b0 = load(b), b1 = load(b + W);
#pragma GCC unroll 16
      for (int r = 0; r < Rows; ++r) {
        const V x = fill(a[r * p.a_stride + i]);
        left[r] += x * b0;
        right[r] += x * b1;
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r, c += p.c_stride) {
      if (columns == panel) {
        store(c, p.add ? load(c) + left[r] : left[r]);
        store(c + W, p.add ? load(c + W) + right[r] : right[r]);
        continue;
      }
      Real row[panel];
      store(row, left[r]);
      store(row + W, right[r]);
      for (Index j = 0; j < columns; ++j) c[j] = p.add ? c[j] + row[j] : row[j];
    }
  }

  using Tile = void (*)(const Product<Real>&, const Real*, const Real*, Real*, Index);
  template <int... R>
  static Tile tile_of(Index rows, std::integer_sequence<int, R...>) {
    static constexpr Tile all[] = {multiply_tile<R + 1>...};
    return all[rows - 1];
  }

  static void multiply(const Product<Real>& p) {
    const Index tiles = (p.m + tile_rows - 1) / tile_rows;
    for (Index n = 0; n < p.n; n += panel)
      for (Index i = 0; i < tiles; ++i) {  // tiles of nearly equal height
        const Index begin = p.m * i / tiles, rows = p.m * (i + 1) / tiles - begin;
        const auto tile = tile_of(rows, std::make_integer_sequence<int, tile_rows>{});
        tile(p, p.a + begin * p.a_stride, p.packed + n * p.k, p.c + begin * p.c_stride + n,
             p.n - n < panel ? p.n - n : panel);
      }
  }

  static constexpr Table<Real> table(const char* name) {
    return {name,
            rms_norm,
            rms_norm_backward,
            rope,
            silu_mul,
            silu_mul_backward,
            softmax,
            softmax_backward,
            sum_of_products,
            log_sum_exp,
            scaled_exp,
            argmax,
            scores,
            weigh,
            panel,
            multiply};
  }
};

}  // namespace seawall::kernels
