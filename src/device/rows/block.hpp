#pragma once
// The parts of a decoder's block that are no products: RMSNorm, rotary positions, the gate. Sizes
// are multiples of `width`.
#include "seawall/device/rows/team.hpp"

namespace seawall::rows {

/// One row of RMSNorm, of `n` values. Where the weight has the type of x the normed value is
/// rounded before it is multiplied, as transformers does; a wider one multiplies it as it is.
/// Returns 1/rms. Source: Zhang and Sennrich 2019, eq. 4.
template <int width, class T, class Weight>
SEAWALL_ROW float rms_norm_row(const Team& team, const T* x, const Weight* w, T* y, Count n,
                               float eps) {
  double squares[1];
  team.template gather<1>(n / width, squares, [&](Count i, float(&mine)[1]) {
    const auto v = load<width>(x, i);
    unrolled<width>([&](int k) { mine[0] += wide(v.at[k]) * wide(v.at[k]); });
  });
  const float mean = static_cast<float>(squares[0] / static_cast<double>(n));
  const float inverse = 1.0f / root(mean + eps);
  constexpr bool rounds = sizeof(T) == sizeof(Weight);
  team.each(n / width, [&](Count i) {
    auto v = load<width>(x, i);
    const auto factor = load<width>(w, i);
    unrolled<width>([&](int k) {
      const float normed = wide(v.at[k]) * inverse;
      narrow(wide(factor.at[k]) * (rounds ? stored<T>(normed) : normed), v.at[k]);
    });
    save<width>(y, i, v);
  });
  return inverse;
}

/// Its gradient: with s = 1/rms and g = dy w, dx = s g - s^3 x (g.x)/n.
template <int width, class T, class Weight>
SEAWALL_ROW void rms_norm_back_row(const Team& team, const T* x, const Weight* w, const T* dy,
                                   float inverse, T* dx, Count n) {
  double products[1];
  team.template gather<1>(n / width, products, [&](Count i, float(&mine)[1]) {
    const auto v = load<width>(x, i), d = load<width>(dy, i);
    const auto factor = load<width>(w, i);
    unrolled<width>([&](int k) { mine[0] += wide(d.at[k]) * wide(factor.at[k]) * wide(v.at[k]); });
  });
  const float along = static_cast<float>(products[0] / static_cast<double>(n)) * inverse * inverse;
  team.each(n / width, [&](Count i) {
    auto v = load<width>(x, i);
    const auto d = load<width>(dy, i);
    const auto factor = load<width>(w, i);
    unrolled<width>([&](int k) {
      narrow(inverse * (wide(d.at[k]) * wide(factor.at[k]) - wide(v.at[k]) * along), v.at[k]);
    });
    save<width>(dx, i, v);
  });
}

/// Sum over rows [begin, end) of dy x / rms, the gradient of the weight. Shapes: x, dy [rows,n],
/// inverse [rows] -> out [n].
template <int width, class T>
SEAWALL_ROW void rms_norm_weight_rows(const Team& team, const T* x, const T* dy,
                                      const float* inverse, float* out, Count begin, Count end,
                                      Count n) {
  const Count packs = n / width;
  team.each(packs, [&](Count i) {
    Pack<float, width> sum = {};
    for (Count r = begin; r < end; ++r) {
      const auto v = load<width>(x, r * packs + i), d = load<width>(dy, r * packs + i);
      unrolled<width>([&](int k) { sum.at[k] += wide(d.at[k]) * wide(v.at[k]) * inverse[r]; });
    }
    save<width>(out, i, sum);
  });
}

/// The heads of one token turned by their position: y1 = x1 cos - x2 sin, y2 = x2 cos + x1 sin for
/// the halves of a head; `turn` -1 turns back, which is the gradient. Each product is rounded, as
/// ATen's are. Shapes: x, y [heads,2 half], cos, sin [2 half]. Source: Su et al. 2021, eq. 34.
template <int width, class T>
SEAWALL_ROW void rotary_row(const Team& team, const T* x, const T* cos, const T* sin, T* y,
                            Count heads, Count half, float turn) {
  const Count packs = half / width;
  team.each(heads * packs, [&](Count k) {
    const Count place = k % packs, first = k / packs * 2 * packs + place, second = first + packs;
    auto a = load<width>(x, first), b = load<width>(x, second);
    const auto c = load<width>(cos, place), s = load<width>(sin, place);
    unrolled<width>([&](int j) {
      const float one = wide(a.at[j]), two = wide(b.at[j]);
      const float co = wide(c.at[j]), si = turn * wide(s.at[j]);
      narrow(stored<T>(one * co) - stored<T>(two * si), a.at[j]);
      narrow(stored<T>(two * co) + stored<T>(one * si), b.at[j]);
    });
    save<width>(y, first, a);
    save<width>(y, second, b);
  });
}

/// What opens the gate: SiLU, or GELU by tanh. Sources: Elfwing et al. 2018; Hendrycks and Gimpel
/// 2016.
struct Opened {
  float value, slope;
};
SEAWALL_ROW Opened opened(float x, bool gelu) {
  if (!gelu) {
    const float share = 1.0f / (1.0f + exponential(-x));
    return {x * share, share * (1.0f + x * (1.0f - share))};
  }
  constexpr float scale = 0.7978845608028654f, cube = 0.044715f;  // sqrt(2/pi)
  const float t = hyperbolic_tangent(scale * (x + cube * x * x * x));
  return {0.5f * x * (1.0f + t),
          0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * scale * (1.0f + 3.0f * cube * x * x)};
}

/// y = f(gate) up, packs [begin, end).
template <int width, class T>
SEAWALL_ROW void gate_rows(const Team& team, const T* gate, const T* up, T* y, Count begin,
                           Count end, bool gelu) {
  team.each(end - begin, [&](Count i) {
    auto g = load<width>(gate, begin + i);
    const auto u = load<width>(up, begin + i);
    unrolled<width>([&](int k) {
      narrow(stored<T>(opened(wide(g.at[k]), gelu).value) * wide(u.at[k]), g.at[k]);
    });
    save<width>(y, begin + i, g);
  });
}
/// Its gradients, with f(gate) computed again.
template <int width, class T>
SEAWALL_ROW void gate_back_rows(const Team& team, const T* gate, const T* up, const T* dy,
                                T* d_gate, T* d_up, Count begin, Count end, bool gelu) {
  team.each(end - begin, [&](Count i) {
    auto g = load<width>(gate, begin + i), u = load<width>(up, begin + i);
    const auto dy_here = load<width>(dy, begin + i);
    unrolled<width>([&](int k) {
      const Opened f = opened(wide(g.at[k]), gelu);
      const float d = wide(dy_here.at[k]), times = wide(u.at[k]);
      narrow(d * times * f.slope, g.at[k]);
      narrow(d * stored<T>(f.value), u.at[k]);
    });
    save<width>(d_gate, begin + i, g);
    save<width>(d_up, begin + i, u);
  });
}

}  // namespace seawall::rows
