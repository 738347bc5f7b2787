#pragma once
// The kernels' one source: rows here, matrix products and what both are written in beside it;
// compiled once an instruction set (see kernels_*.cpp).
#include <limits>

#include "model/kernels_heads.hpp"
#include "model/kernels_products.hpp"

namespace seawall::kernels {

template <class Isa, class Real, int Bytes>
struct Kernels : Products<Isa, Real, Bytes> {
  using Base = Products<Isa, Real, Bytes>;
  using Base::exponential;
  using Base::fill;
  using Base::larger;
  using Base::largest;
  using Base::load;
  using Base::logarithm;
  using Base::panel;
  using Base::square_root;
  using Base::store;
  using Base::sum_of_products;
  using Base::sweep;
  using Base::total;
  using Base::W;
  using typename Base::V;

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
            HeadKernels<Isa, Real, Bytes>::scores,
            HeadKernels<Isa, Real, Bytes>::weigh,
            panel,
            Base::template multiply<Real>,
            Base::template gemm_scratch<Real>,
            Base::template gemm<Real>};
  }
};

}  // namespace seawall::kernels
