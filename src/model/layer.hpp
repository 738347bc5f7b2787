#pragma once
// One transformer block on the CPU, forward and backward by hand, on plain memory: no dispatch,
// nothing stored twice.
#include <cstdint>
#include <vector>

#include "model/attention.hpp"
#include "model/layer_lora.hpp"
#include "seawall/model/config.hpp"
#include "seawall/model/kernels.hpp"

namespace seawall::cpu {

/// Weights (or their gradients, null where not wanted) of one block.
template <class Weight>
struct LayerFactors {
  Weight *norm1, *q, *k, *v, *o, *norm2, *gate, *up, *down;
  // of families that have them
  Weight *q_bias = nullptr, *k_bias = nullptr, *v_bias = nullptr, *q_norm = nullptr,
         *k_norm = nullptr;
};

/// What RMSNorm multiplies by: `w`, and the family's offset added to it; written to `scratch` where
/// it is not `w`. Shapes: w [n].
template <class Real, class Weight>
const Real* norm_factor(const LlamaConfig& config, const Weight* w, std::int64_t n,
                        std::vector<Real>& scratch);
/// RMSNorm of the heads of queries (unless `queries` is false) and keys, in place; does nothing if
/// the family has none. Shapes: qkv [rows,width].
template <class Real, class Weight>
void norm_heads(const LlamaConfig& config, const LayerFactors<const Weight>& w, Real* qkv,
                std::int64_t rows, bool queries = true);
/// The kernel of the MLP's gate.
template <class Real>
auto gate_kernel(const LlamaConfig& config) {
  const auto& kernel = kernels::table<Real>();
  return config.family->gate == Gate::gelu_tanh ? kernel.gelu_mul : kernel.silu_mul;
}
/// rows += bias. Shapes: rows [m,n], `stride` apart; bias [n], or null for none.
template <class Real, class Weight>
void add_bias(Real* rows, std::int64_t stride, std::int64_t m, const Weight* bias, std::int64_t n);

/// cos and sin of every position, rounded to bf16 where weights are stored so, as transformers
/// does. Shapes: [positions, D/2] each.
template <class Real, class Weight = Real>
struct Rotary {
  std::vector<Real> cos, sin;
  Rotary(const LlamaConfig& config, std::int64_t positions);
};

/// What a block works on. Shapes: x_in, x_mid, x_out [T,C]; qkv [T,width] rotated; attention
/// [T,H*D]; lse [H,T]; gate, up [T,I]; raw_qk [T,(H+KV)*D], q and k before the norms of their
/// heads, null if no backward pass will follow.
template <class Real>
struct LayerState {
  const Real* x_in;
  Real *qkv, *attention, *lse, *x_mid, *gate, *up, *x_out;
  Real* raw_qk = nullptr;
};

/// Scratch shared by all blocks. Shapes: normed [T,C], inner [T,I], d_wide [T,max(I, width)],
/// d_heads [T,H*D].
template <class Real>
struct LayerScratch {
  Real *normed, *inner, *d_wide, *d_heads;
};

/// A decoder's block on `tokens` rows. Where weights are stored as bf16 all values are computed in
/// fp32 and rounded to bf16 where plain bf16 operators would store them.
template <class Real, class Weight = Real>
class LayerMath {
 public:
  /// `positions` [tokens] must outlive this; `positions_end` is above all of them.
  LayerMath(const LlamaConfig& config, std::int64_t tokens, const std::int64_t* positions,
            std::int64_t positions_end);
  /// Fewer rows or other positions for the same tables.
  void resize(std::int64_t tokens, const std::int64_t* positions);
  /// Factors beside the weights of the blocks that come, null for none; must outlive this.
  void adapt(LayerLora<Real, Weight>* lora) { lora_ = lora; }
  LayerLora<Real, Weight>* lora() const { return lora_; }

  /// x_in -> qkv, rotated. Where `w.q` is null only keys and values are made.
  void project(const LayerFactors<const Weight>& w, const LayerState<Real>& s,
               const LayerScratch<Real>& scratch) const;
  /// attention and x_in -> x_mid -> x_out. May run in place (x_in = x_mid = x_out).
  void finish(const LayerFactors<const Weight>& w, const LayerState<Real>& s,
              const LayerScratch<Real>& scratch) const;
  void forward(const BatchPlan::Attention& plan, const LayerFactors<const Weight>& w,
               const LayerState<Real>& s, const LayerScratch<Real>& scratch) const;
  /// Turns `dx` from the gradient of x_out into that of x_mid, leaves that of the attention's
  /// output in scratch.d_heads and writes the wanted gradients of o, norm2, gate, up and down.
  /// Overwrites gate and up with their gradients. Shapes: dx [T,C].
  void finish_backward(const LayerFactors<const Weight>& w, const LayerState<Real>& s,
                       const LayerScratch<Real>& scratch, Real* dx,
                       const LayerFactors<Weight>& dw) const;
  /// Goes on from there: turns `dx` into the gradient of x_in and writes those of norm1, q, k and
  /// v.
  void project_backward(const BatchPlan::Attention& plan, const LayerFactors<const Weight>& w,
                        const LayerState<Real>& s, const LayerScratch<Real>& scratch, Real* dx,
                        const LayerFactors<Weight>& dw) const;

  std::int64_t tokens() const { return tokens_; }
  const AttentionShape& shape() const { return shape_; }

 private:
  void rotate(Real* qkv, Real sign, bool queries) const;
  void norm(Real* y, const Real* x, const Weight* w) const;
  void norm_backward(Real* dx, Weight* dw, const Real* dy, const Real* x, const Weight* w) const;
  /// Turns the gradients of q and k after the norms of their heads into those before.
  void norm_heads_backward(Real* d_qkv, const Real* raw_qk, const LayerFactors<const Weight>& w,
                           const LayerFactors<Weight>& dw) const;

  LlamaConfig config_;
  std::int64_t tokens_, c_, inner_;
  AttentionShape shape_;
  Real eps_;
  const std::int64_t* positions_;
  Rotary<Real, Weight> rotary_;
  LayerLora<Real, Weight>* lora_ = nullptr;
};

}  // namespace seawall::cpu
