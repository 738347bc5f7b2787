#include "model/layer.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/gemm.hpp"

namespace seawall::cpu {
namespace {

constexpr std::int64_t row_grain = 32;       // rows a thread takes at least
constexpr std::int64_t value_grain = 16384;  // values a thread takes at least

}  // namespace

template <class Real, class Weight>
Rotary<Real, Weight>::Rotary(const LlamaConfig& config, std::int64_t positions) {
  const auto half = config.head_dim / 2;
  cos.resize(positions * half);
  sin.resize(positions * half);
  const auto frequencies = rotary_frequencies<Real>(config);
  for (std::int64_t i = 0; i < half; ++i) {  // in `Real`, as transformers does in fp32
    const Real frequency = frequencies[i];
    for (std::int64_t p = 0; p < positions; ++p) {
      cos[p * half + i] = std::cos(static_cast<Real>(p) * frequency);
      sin[p * half + i] = std::sin(static_cast<Real>(p) * frequency);
    }
  }
  settle<Weight>(cos.data(), positions * half);
  settle<Weight>(sin.data(), positions * half);
}

template <class Real, class Weight>
const Real* norm_factor(const LlamaConfig& config, const Weight* w, std::int64_t n,
                        std::vector<Real>& scratch) {
  const Real* wide = widened(w, n, scratch);
  const auto offset = static_cast<Real>(config.family->norm_offset);
  if (offset == 0) return wide;
  if (wide == scratch.data())
    for (auto& value : scratch) value += offset;
  else
    for (std::int64_t i = 0; i < n; ++i) scratch.push_back(wide[i] + offset);
  return scratch.data();
}

template <class Real, class Weight>
void norm_heads(const LlamaConfig& config, const LayerFactors<const Weight>& w, Real* qkv,
                std::int64_t rows, bool queries) {
  if (!w.q_norm) return;
  const auto d = config.head_dim, q_width = config.heads * d,
             width = q_width + 2 * config.kv_heads * d;
  const auto eps = static_cast<Real>(config.rms_norm_eps);
  std::vector<Real> q_scratch, k_scratch;
  const Real* q_factor = norm_factor(config, w.q_norm, d, q_scratch);
  const Real* k_factor = norm_factor(config, w.k_norm, d, k_scratch);
  const auto& kernel = kernels::table<Real>();
  at::parallel_for(0, rows, row_grain, [&](std::int64_t begin, std::int64_t end) {
    for (auto r = begin; r < end; ++r) {
      Real *q = qkv + r * width, *k = q + q_width;
      if (queries) kernel.rms_norm(q, q, q_factor, config.heads, d, eps);
      kernel.rms_norm(k, k, k_factor, config.kv_heads, d, eps);
    }
  });
  settle<Weight>(qkv, rows * width);
}

template <class Real, class Weight>
void add_bias(Real* rows, std::int64_t stride, std::int64_t m, const Weight* stored,
              std::int64_t n) {
  std::vector<Real> scratch;
  const Real* bias = widened(stored, n, scratch);
  if (!bias) return;
  at::parallel_for(0, m, row_grain, [&](std::int64_t begin, std::int64_t end) {
    for (auto r = begin; r < end; ++r)
      for (std::int64_t i = 0; i < n; ++i) rows[r * stride + i] += bias[i];
  });
}

/// Stores `x` as weights are stored.
template <class Real, class Weight>
static void put(Weight* to, const std::vector<Real>& x) {
  if constexpr (is_narrow<Real, Weight>)
    narrow_bf16(to, x.data(), static_cast<std::int64_t>(x.size()));
  else
    std::copy(x.begin(), x.end(), to);
}

/// d_bias = sum over rows, in their order.
template <class Real, class Weight>
static void grad_bias(View<const Real> d, std::int64_t m, Weight* d_bias, std::int64_t n) {
  if (!d_bias) return;
  std::vector<Real> sum(n);
  for (std::int64_t r = 0; r < m; ++r)
    for (std::int64_t i = 0; i < n; ++i) sum[i] += d.data[r * d.stride + i];
  put(d_bias, sum);
}

template <class Real, class Weight>
LayerMath<Real, Weight>::LayerMath(const LlamaConfig& config, std::int64_t tokens,
                                   const std::int64_t* positions, std::int64_t positions_end)
    : config_(config),
      tokens_(tokens),
      c_(config.hidden_size),
      inner_(config.intermediate_size),
      shape_(attention_shape(config)),
      eps_(static_cast<Real>(config.rms_norm_eps)),
      positions_(positions),
      rotary_(config, positions_end) {}

template <class Real, class Weight>
void LayerMath<Real, Weight>::resize(std::int64_t tokens, const std::int64_t* positions) {
  tokens_ = tokens;
  positions_ = positions;
}

template <class Real, class Weight>
void LayerMath<Real, Weight>::rotate(Real* qkv, Real sign, bool queries) const {
  const auto& kernel = kernels::table<Real>();
  const auto half = shape_.head_dim / 2, skipped = queries ? 0 : shape_.heads;
  const auto heads = shape_.heads + shape_.kv_heads - skipped;
  at::parallel_for(0, tokens_, row_grain, [&](std::int64_t begin, std::int64_t end) {
    for (auto t = begin; t < end; ++t) {
      const auto angle = positions_[t] * half;
      kernel.rope(qkv + t * shape_.width() + skipped * shape_.head_dim, rotary_.cos.data() + angle,
                  rotary_.sin.data() + angle, heads, shape_.head_dim, sign);
    }
  });
  settle<Weight>(qkv, tokens_ * shape_.width());
}

template <class Real, class Weight>
void LayerMath<Real, Weight>::norm(Real* y, const Real* x, const Weight* w) const {
  std::vector<Real> scratch;
  const Real* factor = norm_factor(config_, w, c_, scratch);
  at::parallel_for(0, tokens_, row_grain, [&](std::int64_t begin, std::int64_t end) {
    kernels::table<Real>().rms_norm(y + begin * c_, x + begin * c_, factor, end - begin, c_, eps_);
  });
  settle<Weight>(y, tokens_ * c_);
}

template <class Real, class Weight>
void LayerMath<Real, Weight>::norm_backward(Real* dx, Weight* dw, const Real* dy, const Real* x,
                                            const Weight* w) const {
  std::vector<Real> scratch;
  const Real* factor = norm_factor(config_, w, c_, scratch);
  const auto pieces = std::clamp<std::int64_t>(tokens_ / row_grain, 1, at::get_num_threads());
  std::vector<Real> partial(dw ? pieces * c_ : 0);  // a row a thread, summed in order
  at::parallel_for(0, pieces, 1, [&](std::int64_t first, std::int64_t last) {
    for (auto p = first; p < last; ++p) {
      const auto begin = tokens_ * p / pieces, end = tokens_ * (p + 1) / pieces, at = begin * c_;
      kernels::table<Real>().rms_norm_backward(dx + at, dw ? partial.data() + p * c_ : nullptr,
                                               dy + at, x + at, factor, end - begin, c_, eps_);
    }
  });
  settle<Weight>(dx, tokens_ * c_);
  if (!dw) return;
  std::vector<Real> sum(c_);
  for (std::int64_t p = 0; p < pieces; ++p)
    for (std::int64_t i = 0; i < c_; ++i) sum[i] += partial[p * c_ + i];
  put(dw, sum);
}

template <class Real, class Weight>
void LayerMath<Real, Weight>::norm_heads_backward(Real* d_qkv, const Real* raw_qk,
                                                  const LayerFactors<const Weight>& w,
                                                  const LayerFactors<Weight>& dw) const {
  if (!w.q_norm) return;
  const auto d = shape_.head_dim, q_width = shape_.heads * d, both = q_width + shape_.kv_heads * d,
             width = shape_.width();
  std::vector<Real> q_scratch, k_scratch;
  const Real* q_factor = norm_factor(config_, w.q_norm, d, q_scratch);
  const Real* k_factor = norm_factor(config_, w.k_norm, d, k_scratch);
  const auto& kernel = kernels::table<Real>();
  const auto pieces = std::clamp<std::int64_t>(tokens_ / row_grain, 1, at::get_num_threads());
  std::vector<Real> partial(pieces * 2 * d);  // a thread's sums for q and k, added in order
  at::parallel_for(0, pieces, 1, [&](std::int64_t first, std::int64_t last) {
    std::vector<Real> dx(both);
    for (auto p = first; p < last; ++p) {
      Real *dq = partial.data() + p * 2 * d, *dk = dq + d;
      for (auto t = tokens_ * p / pieces; t < tokens_ * (p + 1) / pieces; ++t) {
        std::fill(dx.begin(), dx.end(), Real(0));
        Real* dy = d_qkv + t * width;
        const Real* x = raw_qk + t * both;
        kernel.rms_norm_backward(dx.data(), dq, dy, x, q_factor, shape_.heads, d, eps_);
        kernel.rms_norm_backward(dx.data() + q_width, dk, dy + q_width, x + q_width, k_factor,
                                 shape_.kv_heads, d, eps_);
        std::copy(dx.begin(), dx.end(), dy);
      }
    }
  });
  settle<Weight>(d_qkv, tokens_ * width);
  std::vector<Real> q_sum(d), k_sum(d);
  for (std::int64_t p = 0; p < pieces; ++p)
    for (std::int64_t i = 0; i < d; ++i) {
      q_sum[i] += partial[p * 2 * d + i];
      k_sum[i] += partial[p * 2 * d + d + i];
    }
  if (dw.q_norm) put(dw.q_norm, q_sum);
  if (dw.k_norm) put(dw.k_norm, k_sum);
}

template <class Real, class Weight>
void LayerMath<Real, Weight>::forward(const BatchPlan::Attention& plan,
                                      const LayerFactors<const Weight>& w,
                                      const LayerState<Real>& s,
                                      const LayerScratch<Real>& scratch) const {
  project(w, s, scratch);
  attention_forward(plan, shape_, s.qkv, s.attention, s.lse, tokens_);
  settle<Weight>(s.attention, tokens_ * shape_.heads * shape_.head_dim);
  finish(w, s, scratch);
}

template <class Real, class Weight>
void LayerMath<Real, Weight>::project(const LayerFactors<const Weight>& w,
                                      const LayerState<Real>& s,
                                      const LayerScratch<Real>& scratch) const {
  const auto t = tokens_, width = shape_.width(), q_width = shape_.heads * shape_.head_dim;
  const auto kv_width = shape_.kv_heads * shape_.head_dim;
  norm(scratch.normed, s.x_in, w.norm1);
  const View<const Real> normed{scratch.normed, c_};
  if (w.q) linear<Real>({t, q_width, c_}, normed, w.q, {s.qkv, width});
  linear<Real>({t, kv_width, c_}, normed, w.k, {s.qkv + q_width, width});
  linear<Real>({t, kv_width, c_}, normed, w.v, {s.qkv + q_width + kv_width, width});
  if (w.q) add_bias(s.qkv, width, t, w.q_bias, q_width);
  add_bias(s.qkv + q_width, width, t, w.k_bias, kv_width);
  add_bias(s.qkv + q_width + kv_width, width, t, w.v_bias, kv_width);
  if (lora_) {
    if (w.q) lora_->forward(Projection::q, {t, q_width, c_}, normed, {s.qkv, width});
    lora_->forward(Projection::k, {t, kv_width, c_}, normed, {s.qkv + q_width, width});
    lora_->forward(Projection::v, {t, kv_width, c_}, normed, {s.qkv + q_width + kv_width, width});
    if (w.q) lora_->forward(Projection::qkv, {t, width, c_}, normed, {s.qkv, width});
  }
  settle<Weight>(s.qkv, t * width);
  if (s.raw_qk)
    for (std::int64_t r = 0; r < t; ++r)
      std::copy_n(s.qkv + r * width, q_width + kv_width, s.raw_qk + r * (q_width + kv_width));
  norm_heads(config_, w, s.qkv, t, w.q != nullptr);
  rotate(s.qkv, 1, w.q != nullptr);
}

template <class Real, class Weight>
void LayerMath<Real, Weight>::finish(const LayerFactors<const Weight>& w, const LayerState<Real>& s,
                                     const LayerScratch<Real>& scratch) const {
  const auto t = tokens_, q_width = shape_.heads * shape_.head_dim;
  const View<const Real> normed{scratch.normed, c_};
  if (s.x_mid != s.x_in) std::copy_n(s.x_in, t * c_, s.x_mid);
  linear<Real>({t, c_, q_width}, {s.attention, q_width}, w.o, {s.x_mid, c_}, Store::add);
  if (lora_) lora_->forward(Projection::o, {t, c_, q_width}, {s.attention, q_width}, {s.x_mid, c_});
  settle<Weight>(s.x_mid, t * c_);

  norm(scratch.normed, s.x_mid, w.norm2);
  linear<Real>({t, inner_, c_}, normed, w.gate, {s.gate, inner_});
  linear<Real>({t, inner_, c_}, normed, w.up, {s.up, inner_});
  const auto gate = gate_kernel<Real>(config_);
  if (lora_) {
    lora_->forward(Projection::gate, {t, inner_, c_}, normed, {s.gate, inner_});
    lora_->forward(Projection::up, {t, inner_, c_}, normed, {s.up, inner_});
  }
  settle<Weight>(s.gate, t * inner_);
  settle<Weight>(s.up, t * inner_);
  at::parallel_for(0, t * inner_, value_grain, [&](std::int64_t begin, std::int64_t end) {
    gate(scratch.inner + begin, s.gate + begin, s.up + begin, end - begin);
  });
  settle<Weight>(scratch.inner, t * inner_);
  if (s.x_out != s.x_mid) std::copy_n(s.x_mid, t * c_, s.x_out);
  linear<Real>({t, c_, inner_}, {scratch.inner, inner_}, w.down, {s.x_out, c_}, Store::add);
  if (lora_)
    lora_->forward(Projection::down, {t, c_, inner_}, {scratch.inner, inner_}, {s.x_out, c_});
  settle<Weight>(s.x_out, t * c_);
}

template <class Real, class Weight>
void LayerMath<Real, Weight>::finish_backward(const LayerFactors<const Weight>& w,
                                              const LayerState<Real>& s,
                                              const LayerScratch<Real>& scratch, Real* dx,
                                              const LayerFactors<Weight>& dw) const {
  using In = View<const Real>;
  const auto t = tokens_, q_width = shape_.heads * shape_.head_dim;
  // MLP: x_out = x_mid + down(f(gate) * up), f as the family has it
  grad_input<Real>({t, c_, inner_}, {dx, c_}, w.down, {scratch.d_wide, inner_});
  const auto& kernel = kernels::table<Real>();
  const auto gate_backward =
      config_.family->gate == Gate::gelu_tanh ? kernel.gelu_mul_backward : kernel.silu_mul_backward;
  if (lora_)
    lora_->input_gradient(Projection::down, {t, c_, inner_}, {dx, c_}, {scratch.d_wide, inner_});
  settle<Weight>(scratch.d_wide, t * inner_);
  at::parallel_for(0, t * inner_, value_grain, [&](std::int64_t begin, std::int64_t end) {
    gate_backward(s.gate + begin, s.up + begin, scratch.d_wide + begin, scratch.inner + begin,
                  end - begin);
  });
  for (Real* x : {s.gate, s.up, scratch.inner}) settle<Weight>(x, t * inner_);
  if (dw.down) grad_weight<Real>({t, c_, inner_}, In{dx, c_}, In{scratch.inner, inner_}, dw.down);
  const auto wants = [this](Projection p) { return lora_ && lora_->wants(p); };
  if (wants(Projection::down))
    lora_->factor_gradients(Projection::down, {t, c_, inner_}, In{dx, c_},
                            In{scratch.inner, inner_});
  if (dw.gate || dw.up || wants(Projection::gate) || wants(Projection::up))
    norm(scratch.normed, s.x_mid, w.norm2);
  const In gate{s.gate, inner_}, up{s.up, inner_}, normed{scratch.normed, c_};
  if (dw.gate) grad_weight<Real>({t, inner_, c_}, gate, normed, dw.gate);
  if (dw.up) grad_weight<Real>({t, inner_, c_}, up, normed, dw.up);
  if (lora_) {
    lora_->factor_gradients(Projection::gate, {t, inner_, c_}, gate, normed);
    lora_->factor_gradients(Projection::up, {t, inner_, c_}, up, normed);
  }
  Real* d_normed = scratch.normed;  // its contents have been used
  grad_input<Real>({t, inner_, c_}, gate, w.gate, {d_normed, c_});
  grad_input<Real>({t, inner_, c_}, up, w.up, {d_normed, c_}, Store::add);
  if (lora_) {
    lora_->input_gradient(Projection::gate, {t, inner_, c_}, gate, {d_normed, c_});
    lora_->input_gradient(Projection::up, {t, inner_, c_}, up, {d_normed, c_});
  }
  settle<Weight>(d_normed, t * c_);
  norm_backward(dx, dw.norm2, d_normed, s.x_mid, w.norm2);
  // x_mid = x_in + o(attention)
  grad_input<Real>({t, c_, q_width}, {dx, c_}, w.o, {scratch.d_heads, q_width});
  if (dw.o) grad_weight<Real>({t, c_, q_width}, In{dx, c_}, In{s.attention, q_width}, dw.o);
  if (lora_) {
    lora_->input_gradient(Projection::o, {t, c_, q_width}, {dx, c_}, {scratch.d_heads, q_width});
    lora_->factor_gradients(Projection::o, {t, c_, q_width}, In{dx, c_}, In{s.attention, q_width});
  }
  settle<Weight>(scratch.d_heads, t * q_width);
}

template <class Real, class Weight>
void LayerMath<Real, Weight>::project_backward(const BatchPlan::Attention& plan,
                                               const LayerFactors<const Weight>& w,
                                               const LayerState<Real>& s,
                                               const LayerScratch<Real>& scratch, Real* dx,
                                               const LayerFactors<Weight>& dw) const {
  using In = View<const Real>;
  const auto t = tokens_, width = shape_.width(), q_width = shape_.heads * shape_.head_dim;
  const auto kv_width = shape_.kv_heads * shape_.head_dim;
  Real* d_qkv = scratch.d_wide;
  attention_backward<Real>(plan, shape_, {s.qkv, s.attention, s.lse, scratch.d_heads, d_qkv}, t);
  settle<Weight>(d_qkv, t * width);
  rotate(d_qkv, -1, true);
  norm_heads_backward(d_qkv, s.raw_qk, w, dw);
  const auto wants = [this](Projection p) { return lora_ && lora_->wants(p); };
  if (dw.q || dw.k || dw.v || wants(Projection::q) || wants(Projection::k) ||
      wants(Projection::v) || wants(Projection::qkv))
    norm(scratch.normed, s.x_in, w.norm1);
  const In normed{scratch.normed, c_};
  Real* d_normed = scratch.normed;  // after its contents have been used
  const In dq{d_qkv, width}, dk{d_qkv + q_width, width}, dv{d_qkv + q_width + kv_width, width};
  if (dw.q) grad_weight<Real>({t, q_width, c_}, dq, normed, dw.q);
  if (dw.k) grad_weight<Real>({t, kv_width, c_}, dk, normed, dw.k);
  if (dw.v) grad_weight<Real>({t, kv_width, c_}, dv, normed, dw.v);
  grad_bias(dq, t, dw.q_bias, q_width);
  grad_bias(dk, t, dw.k_bias, kv_width);
  grad_bias(dv, t, dw.v_bias, kv_width);
  if (lora_) {
    lora_->factor_gradients(Projection::q, {t, q_width, c_}, dq, normed);
    lora_->factor_gradients(Projection::k, {t, kv_width, c_}, dk, normed);
    lora_->factor_gradients(Projection::v, {t, kv_width, c_}, dv, normed);
    lora_->factor_gradients(Projection::qkv, {t, width, c_}, dq, normed);
  }
  grad_input<Real>({t, q_width, c_}, dq, w.q, {d_normed, c_});
  grad_input<Real>({t, kv_width, c_}, dk, w.k, {d_normed, c_}, Store::add);
  grad_input<Real>({t, kv_width, c_}, dv, w.v, {d_normed, c_}, Store::add);
  if (lora_) {
    lora_->input_gradient(Projection::q, {t, q_width, c_}, dq, {d_normed, c_});
    lora_->input_gradient(Projection::k, {t, kv_width, c_}, dk, {d_normed, c_});
    lora_->input_gradient(Projection::v, {t, kv_width, c_}, dv, {d_normed, c_});
    lora_->input_gradient(Projection::qkv, {t, width, c_}, dq, {d_normed, c_});
  }
  settle<Weight>(d_normed, t * c_);
  norm_backward(dx, dw.norm1, d_normed, s.x_in, w.norm1);
}

template const float* norm_factor(const LlamaConfig&, const float*, std::int64_t,
                                  std::vector<float>&);
template const double* norm_factor(const LlamaConfig&, const double*, std::int64_t,
                                   std::vector<double>&);
template const float* norm_factor(const LlamaConfig&, const Bf16*, std::int64_t,
                                  std::vector<float>&);
template void norm_heads(const LlamaConfig&, const LayerFactors<const float>&, float*, std::int64_t,
                         bool);
template void norm_heads(const LlamaConfig&, const LayerFactors<const double>&, double*,
                         std::int64_t, bool);
template void norm_heads(const LlamaConfig&, const LayerFactors<const Bf16>&, float*, std::int64_t,
                         bool);
template void add_bias(float*, std::int64_t, std::int64_t, const float*, std::int64_t);
template void add_bias(double*, std::int64_t, std::int64_t, const double*, std::int64_t);
template void add_bias(float*, std::int64_t, std::int64_t, const Bf16*, std::int64_t);
template struct Rotary<float>;
template struct Rotary<double>;
template struct Rotary<float, Bf16>;
template class LayerMath<float>;
template class LayerMath<double>;
template class LayerMath<float, Bf16>;

}  // namespace seawall::cpu
