#pragma once
// Matrix products of bf16 values for instructions that multiply two pairs of them in each lane:
// operands are laid out as matrices of pairs, half as long, and the fp32 machinery does the rest.
#include "model/kernels_products.hpp"

namespace seawall::kernels {

/// `Isa::accumulate_pairs` is the instruction.
template <class Isa, int Bytes>
struct PairProducts : Products<Isa, float, Bytes> {
  using Base = Products<Isa, float, Bytes>;
  using Base::load;
  using Base::store;
  using Base::sweep;
  using Base::W;
  using typename Base::B;
  using typename Base::U;
  using typename Base::V;

  /// Low half `even`, high half `odd`, of values that are bf16.
  static V joined(V even, V odd) {
    return __builtin_bit_cast(
        V, (__builtin_bit_cast(U, even) >> 16) | (__builtin_bit_cast(U, odd) & 0xffff0000));
  }

  /// out[i,j] = (x[2i,j], x[2i+1,j]), zero beyond row `k`. Shapes: x [k,n], out [(k+1)/2,n].
  template <class Value>
  static void pair_rows(float* out, const Value* x, Index stride, Index k, Index n) {
    for (Index i = 0; i < k; i += 2, out += n, x += 2 * stride)
      sweep(n, 0, [&](Index, auto get, auto put) {
        put(out, joined(get(x), i + 1 < k ? get(x + stride) : V{}));
      });
  }

  template <int... I>
  static V every_other(V a, V b, Index from, std::integer_sequence<int, I...>) {
    const B places = B{(2 * I)...} + static_cast<int>(from);
#ifdef __clang__
    return V{(places[I] < W ? a[places[I]] : b[places[I] - W])...};
#else
    return __builtin_shuffle(a, b, places);
#endif
  }
  /// out[i,j] = (x[i,2j], x[i,2j+1]), zero beyond column `k`. Shapes: x [m,k], out [m,(k+1)/2].
  static void pair_columns(float* out, const float* x, Index stride, Index m, Index k) {
    constexpr auto lanes = std::make_integer_sequence<int, static_cast<int>(W)>{};
    const Index pairs = (k + 1) / 2;
    for (Index r = 0; r < m; ++r, x += stride, out += pairs) {
      Index j = 0;
      for (; 2 * (j + W) <= k; j += W) {
        const V a = load(x + 2 * j), b = load(x + 2 * j + W);
        store(out + j, joined(every_other(a, b, 0, lanes), every_other(a, b, 1, lanes)));
      }
      if (j == pairs) continue;
      float rest[2 * W] = {};
      std::memcpy(rest, x + 2 * j, sizeof(float) * (k - 2 * j));
      const V a = load(rest), b = load(rest + W);
      float row[W];
      store(row, joined(every_other(a, b, 0, lanes), every_other(a, b, 1, lanes)));
      std::memcpy(out + j, row, sizeof(float) * (pairs - j));
    }
  }

  /// True where rows of b are read as pairs where they are.
  template <class Right>
  static bool in_place(const Gemm<float, Right>& g) {
    return g.b_transposed && sizeof(Right) == 2 && g.k % 2 == 0 && g.b_stride % 2 == 0;
  }
  template <class Right>
  static bool has_pairs(const Gemm<float, Right>& g) {
    return !g.b_transposed || in_place(g);
  }
  /// One part of the sum, its operands not set.
  template <class Right>
  static Gemm<float> part_of(const Gemm<float, Right>& g, Index k) {
    return {nullptr,
            g.a_transposed ? g.m : k,
            g.a_transposed,
            nullptr,
            g.b_transposed ? g.b_stride / 2 : g.n,
            g.b_transposed,
            g.c,
            g.c_stride,
            g.m,
            g.n,
            k,
            g.add};
  }
  /// Pairs in the longest part.
  static Index longest_part(Index k) {
    const Index pairs = (k + 1) / 2, parts = Base::parts_of(k);
    return (pairs + parts - 1) / parts;
  }

  template <class Right>
  static Index pairs_scratch(const Gemm<float, Right>& g) {
    const Index k = longest_part(g.k);
    // A part that is one shorter may take a wider chunk.
    const Index a = Base::gemm_scratch(part_of(g, k)),
                b = k > 1 ? Base::gemm_scratch(part_of(g, k - 1)) : 0;
    return (g.m + (in_place(g) ? 0 : g.n)) * k + (a > b ? a : b);
  }

  template <class Right>
  static void pairs_gemm(const Gemm<float, Right>& g, float* scratch) {
    const Index pairs = (g.k + 1) / 2, parts = Base::parts_of(g.k), most = longest_part(g.k);
    float* const left = scratch;
    float* const right = left + g.m * most;
    float* const rest = right + (in_place(g) ? 0 : g.n * most);
    for (Index i = 0; i < parts; ++i) {
      const Index first = pairs * i / parts, end = pairs * (i + 1) / parts, begin = 2 * first;
      const Index k = (2 * end < g.k ? 2 * end : g.k) - begin;
      Gemm<float> part = part_of(g, end - first);
      part.add = g.add || i > 0;
      if (g.a_transposed)
        pair_rows(left, g.a + begin * g.a_stride, g.a_stride, k, g.m);
      else
        pair_columns(left, g.a + begin, g.a_stride, g.m, k);
      if (!g.b_transposed) pair_rows(right, g.b + begin * g.b_stride, g.b_stride, k, g.n);
      part.a = left;
      part.b = g.b_transposed ? reinterpret_cast<const float*>(g.b + begin) : right;
      Base::gemm(part, rest);
    }
  }
};

}  // namespace seawall::kernels
