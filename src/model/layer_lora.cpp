#include "model/layer_lora.hpp"

namespace seawall::cpu {

template <class Real, class Weight>
View<const Real> LayerLora<Real, Weight>::dropped(Projection p, Sizes s, View<const Real> x) {
  const Dropout mine = dropout.of(layer, p);
  if (!mine) return x;
  Real* y = masked_.get(s.t * s.in);
  drop_rows<Real>(mine, rows, s.t, s.in, x.data, x.stride, y);
  settle<Weight>(y, s.t * s.in);
  return {y, s.in};
}

template <class Real, class Weight>
void LayerLora<Real, Weight>::scaled(const Factors& f, Sizes s, View<const Real> x, Real* out) {
  linear<Real>({s.t, f.rank, s.in}, x, f.a, {out, f.rank});
  for (std::int64_t i = 0; i < s.t * f.rank; ++i) out[i] *= f.scale;
  settle<Weight>(out, s.t * f.rank);
}

template <class Real, class Weight>
void LayerLora<Real, Weight>::scaled_back(const Factors& f, Sizes s, View<const Real> dy,
                                          Real* out) {
  grad_input<Real>({s.t, s.out, f.rank}, dy, f.b, {out, f.rank});
  for (std::int64_t i = 0; i < s.t * f.rank; ++i) out[i] *= f.scale;
  settle<Weight>(out, s.t * f.rank);
}

template <class Real, class Weight>
void LayerLora<Real, Weight>::forward(Projection p, Sizes s, View<const Real> x, View<Real> y) {
  const Factors& f = of(p);
  if (!f.a) return;
  Real* low = low_.get(s.t * f.rank);
  scaled(f, s, dropped(p, s, x), low);
  linear<Real>({s.t, s.out, f.rank}, {low, f.rank}, f.b, y, Store::add);
}

template <class Real, class Weight>
void LayerLora<Real, Weight>::input_gradient(Projection p, Sizes s, View<const Real> dy,
                                             View<Real> dx) {
  const Factors& f = of(p);
  if (!f.a) return;
  Real* d_low = d_low_.get(s.t * f.rank);
  scaled_back(f, s, dy, d_low);
  const Dropout mine = dropout.of(layer, p);
  if (!mine) return grad_input<Real>({s.t, f.rank, s.in}, {d_low, f.rank}, f.a, dx, Store::add);
  Real* d = masked_.get(s.t * s.in);
  grad_input<Real>({s.t, f.rank, s.in}, {d_low, f.rank}, f.a, {d, s.in});
  drop_rows<Real>(mine, rows, s.t, s.in, d, s.in, d);
  for (std::int64_t t = 0; t < s.t; ++t)
    for (std::int64_t i = 0; i < s.in; ++i) dx.data[t * dx.stride + i] += d[t * s.in + i];
}

template <class Real, class Weight>
void LayerLora<Real, Weight>::factor_gradients(Projection p, Sizes s, View<const Real> dy,
                                               View<const Real> x) {
  const Factors& f = of(p);
  if (!f.da && !f.db) return;
  const View<const Real> input = dropped(p, s, x);
  if (f.db) {
    Real* low = low_.get(s.t * f.rank);
    scaled(f, s, input, low);
    grad_weight<Real>({s.t, s.out, f.rank}, dy, View<const Real>{low, f.rank}, f.db);
  }
  if (f.da) {
    Real* d_low = d_low_.get(s.t * f.rank);
    scaled_back(f, s, dy, d_low);
    grad_weight<Real>({s.t, f.rank, s.in}, View<const Real>{d_low, f.rank}, input, f.da);
  }
}

template class LayerLora<float>;
template class LayerLora<double>;
template class LayerLora<float, Bf16>;

}  // namespace seawall::cpu
