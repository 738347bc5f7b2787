#pragma once
// Attention of one new token: heads that share keys and values read them once.
#include <type_traits>

#include "model/kernels_lanes.hpp"

namespace seawall::kernels {

template <class Isa, class Real, int Bytes>
struct HeadKernels : Lanes<Isa, Real, Bytes> {
  using Base = Lanes<Isa, Real, Bytes>;
  using Base::fill;
  using Base::load;
  using Base::store;
  using Base::W;
  using typename Base::V;

  // Registers for sums.
  static constexpr int sums = Bytes == 64 ? 24 : 12;

  /// Scores of `Vectors` vectors of keys against `Heads` queries; several sums run side by side to
  /// hide their latency.
  template <int Heads, int Vectors>
  static void score_columns(const Real* q, const Real* k, Index stride, Index d, Real* out,
                            Index out_stride) {
    constexpr int chains = 4 / Vectors;
    V sum[Heads][chains][Vectors];
#pragma GCC unroll 4
    for (auto& head : sum)
#pragma GCC unroll 4
      for (auto& chain : head)
#pragma GCC unroll 4
        for (auto& v : chain) v = V{};
    Index i = 0;
    for (; i + chains <= d; i += chains)
#pragma GCC unroll 4
      for (int c = 0; c < chains; ++c)
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v) {
          const V key = load(k + (i + c) * stride + v * W);
#pragma GCC unroll 4
          for (int h = 0; h < Heads; ++h) sum[h][c][v] += q[h * d + i + c] * key;
        }
    for (; i < d; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v)
#pragma GCC unroll 4
        for (int h = 0; h < Heads; ++h) sum[h][0][v] += q[h * d + i] * load(k + i * stride + v * W);
#pragma GCC unroll 4
    for (int h = 0; h < Heads; ++h)
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) {
        V all = sum[h][0][v];
#pragma GCC unroll 4
        for (int c = 1; c < chains; ++c) all += sum[h][c][v];
        store(out + h * out_stride + v * W, all);
      }
  }

  template <int Heads>
  static void scores_of(const Real* q, const Real* k, Index stride, Index m, Index d, Real* out,
                        Index out_stride) {
    Index t = 0;
    for (; t + 3 * W < m; t += 4 * W)
      score_columns<Heads, 4>(q, k + t, stride, d, out + t, out_stride);
    for (; t + W < m; t += 2 * W) score_columns<Heads, 2>(q, k + t, stride, d, out + t, out_stride);
    for (; t < m; t += W) score_columns<Heads, 1>(q, k + t, stride, d, out + t, out_stride);
  }

  /// Calls f(first head, count) with a constant count of at most three.
  template <class F>
  static void by_heads(Index heads, F&& f) {
    Index h = 0;
    for (; h + 3 <= heads; h += 3) f(h, std::integral_constant<int, 3>{});
    if (h + 2 == heads) f(h, std::integral_constant<int, 2>{});
    if (h + 1 == heads) f(h, std::integral_constant<int, 1>{});
  }

  static void scores(const HeadScores<Real>& s) {
    by_heads(s.heads, [&](Index h, auto count) {
      scores_of<count>(s.q + h * s.d, s.k, s.k_stride, s.m, s.d, s.out + h * s.out_stride,
                       s.out_stride);
    });
  }

  template <int Heads, int Vectors>
  static void weigh_columns(const HeadMix<Real>& mix, const Real* p, const Real* v, Real* out) {
    V even[Heads][Vectors], odd[Heads][Vectors];
#pragma GCC unroll 4
    for (int h = 0; h < Heads; ++h)
#pragma GCC unroll 4
      for (int j = 0; j < Vectors; ++j) {
        even[h][j] = load(out + h * mix.d + j * W);
        odd[h][j] = V{};
      }
    const auto add = [&](V(&to)[Heads][Vectors], Index t) {
#pragma GCC unroll 4
      for (int j = 0; j < Vectors; ++j) {
        const V value = load(v + t * mix.d + j * W);
#pragma GCC unroll 4
        for (int h = 0; h < Heads; ++h) to[h][j] += fill(p[h * mix.p_stride + t]) * value;
      }
    };
    Index t = 0;
    for (; t + 2 <= mix.m; t += 2) {
      add(even, t);
      add(odd, t + 1);
    }
    for (; t < mix.m; ++t) add(even, t);
#pragma GCC unroll 4
    for (int h = 0; h < Heads; ++h)
#pragma GCC unroll 4
      for (int j = 0; j < Vectors; ++j) store(out + h * mix.d + j * W, even[h][j] + odd[h][j]);
  }

  static void weigh(const HeadMix<Real>& mix) {
    by_heads(mix.heads, [&](Index first, auto count) {
      constexpr int widest = count * 2 * 4 <= sums ? 4 : 2;
      const Real* p = mix.p + first * mix.p_stride;
      Real* out = mix.out + first * mix.d;
      Index c = 0;
      for (; c + widest * W <= mix.d; c += widest * W)
        weigh_columns<count, widest>(mix, p, mix.v + c, out + c);
      for (; c + 2 * W <= mix.d; c += 2 * W) weigh_columns<count, 2>(mix, p, mix.v + c, out + c);
      for (; c + W <= mix.d; c += W) weigh_columns<count, 1>(mix, p, mix.v + c, out + c);
      for (; c < mix.d; ++c)
        for (int h = 0; h < count; ++h)
          for (Index t = 0; t < mix.m; ++t)
            out[h * mix.d + c] += p[h * mix.p_stride + t] * mix.v[t * mix.d + c];
    });
  }
};

}  // namespace seawall::kernels
