#pragma once
// What training did to each matrix of the blocks, and which way alignment went: what repairs after
// training compare.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/matmul.h>

#include <string>
#include <string_view>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/policy/params.hpp"
#include "seawall/policy/trainer.hpp"

namespace seawall {

/// In fp32 (fp64 stays), differentiable.
inline Tensor in_full(const Tensor& t) {
  return t.scalar_type() == at::kDouble ? t : t.to(at::kFloat);
}

/// Whether it is a whole matrix of a block: no adapter's factor, embedding, head or norm.
inline bool in_block(const Param& p) {
  return p.scale == 0 && p.value.dim() == 2 && p.name.find(".layers.") != p.name.npos;
}

/// The change of one matrix: B A of its adapter, without the scale, or W - W0 in full fine-tuning.
struct Change {
  std::string weight;            // the matrix's name
  const Param* param = nullptr;  // what `put` writes: B, or the matrix itself
  Tensor left, right;            // B and A; W - W0 and undefined

  Tensor whole() const { return right.defined() ? left.matmul(right) : left; }
  /// Puts another left factor in place of `left`.
  void put(const Tensor& other) const {
    at::NoGradGuard no_grad;
    param->master.copy_(right.defined() ? other : in_full(param->start).add(other));
  }
};

/// Of every matrix of the blocks that is trained, in their order. While gradients are on,
/// differentiable in the weights; else of what the optimizer moves.
inline std::vector<Change> changes_of(ParamView params) {
  const auto now = [live = at::GradMode::is_enabled()](const Param& p) {
    return in_full(live ? p.value : p.master);
  };
  constexpr std::string_view a = ".lora_A.weight";
  std::vector<Change> out;
  for (std::size_t i = 0; i < params.size(); ++i) {
    const Param& p = params[i];
    if (p.name.ends_with(a) && i + 1 < params.size()) {
      const std::string module(p.name.substr(0, p.name.size() - a.size()));
      out.push_back({module + ".weight", &params[i + 1], now(params[i + 1]), now(p)});
    } else if (in_block(p)) {
      out.push_back({std::string(p.name), &p, now(p).sub(in_full(p.start)), {}});
    }
  }
  return out;
}

/// A weight of another model. Errors: those of Trainer::other_model.
inline Tensor other_weight(Trainer& trainer, const std::string& model, std::string_view name) {
  for (const auto& [other, tensor] : trainer.other_model(model))
    if (other == name) return in_full(tensor);
  throw DataError(model + ": has no " + std::string(name));
}

/// theta0 of every weight that training changes, the whole ones under LoRA, by name; copies.
/// Memory: once more what is trained, or the adapted matrices.
inline NamedTensors start_weights(Trainer& trainer) {
  at::NoGradGuard no_grad;
  NamedTensors out;
  for (const Param& p : trainer.params())
    if (p.scale == 0) out.push_back({std::string(p.name), p.start.detach().clone()});
  for (const Change& c : changes_of(trainer.params())) {
    if (!c.right.defined()) continue;
    const Tensor product = in_full(c.param->start).matmul(in_full((c.param - 1)->start));
    const Tensor under = in_full(trainer.weight(c.weight, Theta::start));
    out.push_back({c.weight, under.add(product, c.param->scale)});
  }
  return out;
}

/// C = V V^T / |V|_F with V = W0 - W_base, W_base of the model `base`: what SafeLoRA calls the
/// alignment matrix. It is no projection: it also scales. Shapes: -> [out,out]. Errors: DataError
/// if the two weights are the same.
inline Tensor alignment_matrix(Trainer& trainer, const std::string& base,
                               const std::string& weight) {
  const Tensor v =
      in_full(trainer.weight(weight, Theta::start)).sub(other_weight(trainer, base, weight));
  const Tensor size = v.norm();
  if (size.item<double>() == 0)
    throw DataError(base + ": its " + weight +
                    " is the model's own, so that alignment has no direction; name the model as it "
                    "was before it was aligned");
  return v.matmul(v.t()).div(size);
}

/// Of two tensors of one shape; NaN if one is zero.
inline double cosine(const Tensor& a, const Tensor& b) {
  return a.mul(b).sum().item<double>() / (a.norm().item<double>() * b.norm().item<double>());
}

/// For policies that write whole weights. Errors: UsageError under LoRA.
inline void want_whole_weights(Trainer& trainer) {
  for (const Param& p : trainer.params())
    if (p.scale != 0)
      throw UsageError(
          "it writes whole weights, and an adapter is trained; leave --lora.rank or --adapter out");
}

}  // namespace seawall
