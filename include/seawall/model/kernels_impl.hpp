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
    // An alias with a dependent vector_size is scalar under GCC 12.
    typedef Real Lane __attribute__((vector_size(Bytes)));  // NOLINT(modernize-use-using)
    typedef Int Bits __attribute__((vector_size(Bytes)));   // NOLINT(modernize-use-using)
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

  /// gelu(g) = g/2 (1 + tanh(z)) with z = sqrt(2/pi) (g + c g^3), which is g sigmoid(2z).
  static constexpr Real gelu_slope = Real(2 * 0.79788456080286535588), gelu_cubic = Real(0.044715);

  static void gelu_mul(Real* h, const Real* gate, const Real* up, Index n) {
    sweep(n, 0, [&](Index, auto get, auto put) {
      const V g = get(gate), twice_z = gelu_slope * (g + gelu_cubic * g * g * g);
      put(h, g / (1 + exponential(-twice_z)) * get(up));
    });
  }

  static void gelu_mul_backward(Real* gate, Real* up, const Real* dh, Real* h, Index n) {
    sweep(n, 0, [&](Index, auto get, auto put) {
      const V g = get(gate), u = get(up), d = get(dh);
      const V twice_z = gelu_slope * (g + gelu_cubic * g * g * g);
      const V slope = gelu_slope * (1 + 3 * gelu_cubic * g * g);
      const V sigmoid = 1 / (1 + exponential(-twice_z)), gelu = g * sigmoid;
      put(h, gelu * u);
      put(gate, d * u * (sigmoid + gelu * (1 - sigmoid) * slope));
      put(up, d * gelu);
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

  /// Scores of `Vectors` vectors of keys; several sums run side by side to hide their latency.
  template <int Vectors>
  static void score_columns(const Real* q, const Real* k, Index stride, Index d, Real* out) {
    constexpr int chains = 4 / Vectors;
    V sum[chains][Vectors];
#pragma GCC unroll 4
    for (auto& chain : sum)
#pragma GCC unroll 4
      for (auto& v : chain) v = V{};
    Index i = 0;
    for (; i + chains <= d; i += chains)
#pragma GCC unroll 4
      for (int c = 0; c < chains; ++c)
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v)
          sum[c][v] += q[i + c] * load(k + (i + c) * stride + v * W);
    for (; i < d; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) sum[0][v] += q[i] * load(k + i * stride + v * W);
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) {
      V all = sum[0][v];
#pragma GCC unroll 4
      for (int c = 1; c < chains; ++c) all += sum[c][v];
      store(out + v * W, all);
    }
  }

  static void scores(const Real* q, const Real* k, Index stride, Index m, Index d, Real* out) {
    Index t = 0;
    for (; t + 3 * W < m; t += 4 * W) score_columns<4>(q, k + t, stride, d, out + t);
    for (; t + W < m; t += 2 * W) score_columns<2>(q, k + t, stride, d, out + t);
    for (; t < m; t += W) score_columns<1>(q, k + t, stride, d, out + t);
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

  template <int Rows, bool PackedA>
  static void multiply_tile(const Product<Real>& p, const Real* a, const Real* b, Real* c,
                            Index columns) {
    V left[Rows], right[Rows];
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) left[r] = right[r] = V{};
    for (Index i = 0; i < p.k; ++i, b += panel) {
      const V b0 = load(b), b1 = load(b + W);
#pragma GCC unroll 16
      for (int r = 0; r < Rows; ++r) {
        const V x = fill(PackedA ? a[i * Rows + r] : a[r * p.a_stride + i]);
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
  template <bool PackedA, int... R>
  static Tile tile_of(Index rows, std::integer_sequence<int, R...>) {
    static constexpr Tile all[] = {multiply_tile<R + 1, PackedA>...};
    return all[rows - 1];
  }

  /// Rows [begin, end) of tile `i` when `m` rows are cut into tiles of nearly equal height.
  struct Cut {
    Index begin, rows;
  };
  static Index tiles_of(Index m) { return (m + tile_rows - 1) / tile_rows; }
  static Cut cut(Index m, Index i) {
    const Index tiles = tiles_of(m), begin = m * i / tiles;
    return {begin, m * (i + 1) / tiles - begin};
  }

  template <bool PackedA>
  static void multiply_panels(const Product<Real>& p) {
    for (Index n = 0; n < p.n; n += panel)
      for (Index i = 0; i < tiles_of(p.m); ++i) {
        const auto [begin, rows] = cut(p.m, i);
        const auto tile = tile_of<PackedA>(rows, std::make_integer_sequence<int, tile_rows>{});
        tile(p, p.a + begin * (PackedA ? p.k : p.a_stride), p.packed + n * p.k,
             p.c + begin * p.c_stride + n, p.n - n < panel ? p.n - n : panel);
      }
  }
  static void multiply(const Product<Real>& p) { multiply_panels<false>(p); }

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

  /// One panel of b: out[i,c] = b[i,c], or b[c,i] where it is stored transposed; zero past
  /// `columns`.
  static void pack_panel(Real* out, const Real* b, Index stride, bool transposed, Index k,
                         Index columns) {
    if (columns < panel) std::memset(out, 0, sizeof(Real) * k * panel);
    if (!transposed) {
      for (Index i = 0; i < k; ++i, out += panel, b += stride)
        if (columns == panel) {
          store(out, load(b));
          store(out + W, load(b + W));
        } else {
          std::memcpy(out, b, sizeof(Real) * columns);
        }
      return;
    }
    for (Index c0 = 0; c0 < columns; c0 += W) {
      Index i = 0;
      if (c0 + W <= columns)
        for (; i + W <= k; i += W) {
          V v[W];
#pragma GCC unroll 16
          for (Index c = 0; c < W; ++c) v[c] = load(b + (c0 + c) * stride + i);
          transpose(v);
#pragma GCC unroll 16
          for (Index c = 0; c < W; ++c) store(out + (i + c) * panel + c0, v[c]);
        }
      for (; i < k; ++i)
        for (Index c = c0; c < columns && c < c0 + W; ++c) out[i * panel + c] = b[c * stride + i];
    }
  }

  static constexpr Index packed_rows = (tile_rows + W - 1) / W * W;
  /// A block of a that is stored transposed, tile by tile: [tiles, k, rows of the tile]. Writes up
  /// to a panel beyond.
  static void pack_block(Real* out, const Real* a, Index stride, Index k, Index m) {
    for (Index t = 0; t < tiles_of(m); ++t) {
      const auto [begin, rows] = cut(m, t);
      const bool wide = begin + packed_rows <= m;  // whole vectors stay inside the row
      for (Index i = 0; i < k; ++i, out += rows) {
        const Real* from = a + i * stride + begin;
        if (wide) {
#pragma GCC unroll 4
          for (Index r = 0; r < packed_rows; r += W) store(out + r, load(from + r));
        } else {
          for (Index r = 0; r < rows; ++r) out[r] = from[r];
        }
      }
    }
  }

  // A chunk of b that stays in the outer caches and a block of a that stays in the second level.
  static constexpr Index chunk_values = (Index{1} << 21) / sizeof(Real);
  static constexpr Index block_values = (Index{3} << 17) / sizeof(Real);
  static Index chunk_columns(Index n, Index k) {
    const Index most = chunk_values / (k * panel) * panel;
    return most < panel ? panel : most < n ? most : (n + panel - 1) / panel * panel;
  }
  static Index block_rows(Index m, Index k) {
    const Index most = block_values / (k * tile_rows) * tile_rows;
    return most < tile_rows ? tile_rows : most < m ? most : m;
  }

  // Longer sums are cut. The organism's longest, 1,376, is not: the bits that ship rely on it.
  static constexpr Index longest_sum = 1536;
  // Rows this many bytes apart share sets of the first cache: a tile of them would evict itself.
  static constexpr Index collision = 2048, padding = W;

  static Index parts_of(Index k) {
    return k > longest_sum ? (k + longest_sum - 1) / longest_sum : 1;
  }
  static Index part_scratch(const Gemm<Real>& g, Index k) {
    return chunk_columns(g.n, k) * k + block_rows(g.m, k) * (k + padding) + packed_rows;
  }
  /// Parts differ by one in length, and a shorter one may take a wider chunk.
  static Index gemm_scratch(const Gemm<Real>& g) {
    const Index k = g.k / parts_of(g.k), short_part = part_scratch(g, k);
    const Index long_part = part_scratch(g, k + (g.k % parts_of(g.k) != 0));
    return short_part > long_part ? short_part : long_part;
  }

  static void gemm(const Gemm<Real>& whole, Real* scratch) {
    const Index parts = parts_of(whole.k);
    for (Index i = 0; i < parts; ++i) {
      const Index begin = whole.k * i / parts;
      Gemm<Real> g = whole;
      g.k = whole.k * (i + 1) / parts - begin;
      g.a += g.a_transposed ? begin * g.a_stride : begin;
      g.b += g.b_transposed ? begin : begin * g.b_stride;
      g.add = whole.add || i > 0;
      gemm_part(g, scratch);
    }
  }

  static void gemm_part(const Gemm<Real>& g, Real* scratch) {
    const Index columns = chunk_columns(g.n, g.k), rows = block_rows(g.m, g.k);
    Real* const block = scratch + columns * g.k;
    for (Index n0 = 0; n0 < g.n; n0 += columns) {
      const Index n = g.n - n0 < columns ? g.n - n0 : columns;
      for (Index j = 0; j < n; j += panel)
        pack_panel(scratch + j * g.k, g.b + (g.b_transposed ? (n0 + j) * g.b_stride : n0 + j),
                   g.b_stride, g.b_transposed, g.k, n - j < panel ? n - j : panel);
      for (Index m0 = 0; m0 < g.m; m0 += rows) {
        const Index m = g.m - m0 < rows ? g.m - m0 : rows;
        Real* const c = g.c + m0 * g.c_stride + n0;
        if (g.a_transposed) {
          pack_block(block, g.a + m0, g.a_stride, g.k, m);
          multiply_panels<true>({block, 0, scratch, c, g.c_stride, m, n, g.k, g.add});
        } else if (g.a_stride * sizeof(Real) % collision == 0) {
          for (Index i = 0; i < m; ++i)
            std::memcpy(block + i * (g.k + padding), g.a + (m0 + i) * g.a_stride,
                        sizeof(Real) * g.k);
          multiply_panels<false>({block, g.k + padding, scratch, c, g.c_stride, m, n, g.k, g.add});
        } else {
          multiply_panels<false>(
              {g.a + m0 * g.a_stride, g.a_stride, scratch, c, g.c_stride, m, n, g.k, g.add});
        }
      }
    }
  }

  static constexpr Table<Real> table(const char* name) {
    return {name,
            rms_norm,
            rms_norm_backward,
            rope,
            silu_mul,
            silu_mul_backward,
            gelu_mul,
            gelu_mul_backward,
            softmax,
            softmax_backward,
            sum_of_products,
            log_sum_exp,
            scaled_exp,
            argmax,
            scores,
            weigh,
            panel,
            multiply,
            gemm_scratch,
            gemm};
  }
};

}  // namespace seawall::kernels
