#pragma once
// Matrix products: packed panels, register tiles, sums cut where the cache wants it.
#include <utility>

#include "model/kernels_lanes.hpp"

namespace seawall::kernels {

template <class Isa, class Real, int Bytes>
struct Products : Lanes<Isa, Real, Bytes> {
  using Base = Lanes<Isa, Real, Bytes>;
  using Base::fill;
  using Base::load;
  using Base::store;
  using Base::transpose;
  using Base::W;
  using typename Base::B;
  using typename Base::Int;
  using typename Base::V;

  static constexpr Index panel = 2 * W;
  // Two vectors a row fill the registers: 32 of AVX-512, 16 elsewhere.
  static constexpr int tile_rows = Bytes == 64 ? 14 : 6;

  /// sum += x b; pairs of bf16 in each lane where the instruction set multiplies those.
  static void accumulate(V& sum, Real x, V b) {
    if constexpr (requires { Isa::accumulate_pairs(sum, x, b); })
      Isa::accumulate_pairs(sum, x, b);
    else
      sum += fill(x) * b;
  }

  template <int Rows, bool PackedA, class Weight>
  static void multiply_tile(const Product<Real, Weight>& p, const Real* a, const Weight* b, Real* c,
                            Index columns) {
    V left[Rows], right[Rows];
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) left[r] = right[r] = V{};
    for (Index i = 0; i < p.k; ++i, b += panel) {
      const V b0 = load(b), b1 = load(b + W);
#pragma GCC unroll 16
      for (int r = 0; r < Rows; ++r) {
        const Real x = PackedA ? a[i * Rows + r] : a[r * p.a_stride + i];
        accumulate(left[r], x, b0);
        accumulate(right[r], x, b1);
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

  template <class Weight>
  using Tile = void (*)(const Product<Real, Weight>&, const Real*, const Weight*, Real*, Index);
  template <bool PackedA, class Weight, int... R>
  static Tile<Weight> tile_of(Index rows, std::integer_sequence<int, R...>) {
    static constexpr Tile<Weight> all[] = {multiply_tile<R + 1, PackedA, Weight>...};
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

  template <bool PackedA, class Weight = Real>
  static void multiply_panels(const Product<Real, Weight>& p) {
    for (Index n = 0; n < p.n; n += panel)
      for (Index i = 0; i < tiles_of(p.m); ++i) {
        const auto [begin, rows] = cut(p.m, i);
        const auto tile =
            tile_of<PackedA, Weight>(rows, std::make_integer_sequence<int, tile_rows>{});
        tile(p, p.a + begin * (PackedA ? p.k : p.a_stride), p.packed + n * p.k,
             p.c + begin * p.c_stride + n, p.n - n < panel ? p.n - n : panel);
      }
  }
  template <class Weight = Real>
  static void multiply(const Product<Real, Weight>& p) {
    multiply_panels<false>(p);
  }

  static Real value(Real x) { return x; }
  static Real value(Bf16 x) {
    return __builtin_bit_cast(float, static_cast<std::uint32_t>(x.bits) << 16);
  }

  /// One panel of b: out[i,c] = b[i,c], or b[c,i] where it is stored transposed; zero past
  /// `columns`.
  template <class Right>
  static void pack_panel(Real* out, const Right* b, Index stride, bool transposed, Index k,
                         Index columns) {
    if (columns < panel) std::memset(out, 0, sizeof(Real) * k * panel);
    if (!transposed) {
      for (Index i = 0; i < k; ++i, out += panel, b += stride)
        if (columns == panel) {
          store(out, load(b));
          store(out + W, load(b + W));
        } else {
          for (Index c = 0; c < columns; ++c) out[c] = value(b[c]);
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
        for (Index c = c0; c < columns && c < c0 + W; ++c)
          out[i * panel + c] = value(b[c * stride + i]);
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

  // A chunk of b that stays in the outer caches and a block of a that takes less than half of the
  // smallest second level among CPUs with AVX2 in use (512 KiB).
  static constexpr Index chunk_values = (Index{1} << 21) / sizeof(Real);
  static constexpr Index block_values = (Index{3} << 16) / sizeof(Real);
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
  template <class Right>
  static Index part_scratch(const Gemm<Real, Right>& g, Index k) {
    return chunk_columns(g.n, k) * k + block_rows(g.m, k) * (k + padding) + packed_rows;
  }
  /// Parts differ by one in length, and a shorter one may take a wider chunk.
  template <class Right = Real>
  static Index gemm_scratch(const Gemm<Real, Right>& g) {
    const Index k = g.k / parts_of(g.k), short_part = part_scratch(g, k);
    const Index long_part = part_scratch(g, k + (g.k % parts_of(g.k) != 0));
    return short_part > long_part ? short_part : long_part;
  }

  template <class Right = Real>
  static void gemm(const Gemm<Real, Right>& whole, Real* scratch) {
    const Index parts = parts_of(whole.k);
    for (Index i = 0; i < parts; ++i) {
      const Index begin = whole.k * i / parts;
      Gemm<Real, Right> g = whole;
      g.k = whole.k * (i + 1) / parts - begin;
      g.a += g.a_transposed ? begin * g.a_stride : begin;
      g.b += g.b_transposed ? begin : begin * g.b_stride;
      g.add = whole.add || i > 0;
      gemm_part(g, scratch);
    }
  }

  template <class Right>
  static void gemm_part(const Gemm<Real, Right>& g, Real* scratch) {
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
          multiply_panels<true, Real>({block, 0, scratch, c, g.c_stride, m, n, g.k, g.add});
        } else if (g.a_stride * sizeof(Real) % collision == 0) {
          for (Index i = 0; i < m; ++i)
            std::memcpy(block + i * (g.k + padding), g.a + (m0 + i) * g.a_stride,
                        sizeof(Real) * g.k);
          multiply_panels<false, Real>(
              {block, g.k + padding, scratch, c, g.c_stride, m, n, g.k, g.add});
        } else {
          multiply_panels<false, Real>(
              {g.a + m0 * g.a_stride, g.a_stride, scratch, c, g.c_stride, m, n, g.k, g.add});
        }
      }
    }
  }

  static constexpr Bf16Table bf16_table() {
    return {Base::round,        Base::widen, Base::narrow,       multiply<Bf16>,
            gemm_scratch<Bf16>, gemm<Bf16>,  gemm_scratch<Real>, gemm<Real>};
  }
};

}  // namespace seawall::kernels
