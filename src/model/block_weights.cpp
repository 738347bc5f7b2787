#include "model/block_weights.hpp"

#include <algorithm>

#include "model/blocks.hpp"
#include "seawall/core/notices.hpp"
#include "seawall/model/runtime.hpp"

namespace seawall {

PartPlace place_of(const LlamaConfig& config, Part part) {
  const auto& family = *config.family;
  const auto at = [&](Part wanted, std::int64_t row) -> PartPlace {
    const auto* found = family.find(wanted);
    return found ? PartPlace{found - family.block.data(), row} : PartPlace{};
  };
  if (const auto own = at(part, 0); own.tensor >= 0) return own;
  const auto q = config.heads * config.head_dim, k = config.kv_heads * config.head_dim;
  switch (part) {
    case Part::q:
      return at(Part::qkv, 0);
    case Part::k:
      return at(Part::qkv, q);
    case Part::v:
      return at(Part::qkv, q + k);
    case Part::gate:
      return at(Part::gate_up, 0);
    case Part::up:
      return at(Part::gate_up, config.intermediate_size);
    default:
      return {};
  }
}

bool can_fuse(at::TensorList weights) {
  return compute_path() == ComputePath::fused &&
         std::all_of(weights.begin(), weights.end(), [&](const Tensor& w) {
           const auto type = w.scalar_type();
           return w.is_cpu() && w.is_contiguous() && type == weights[0].scalar_type() &&
                  (type == at::kFloat || type == at::kDouble || type == at::kBFloat16);
         });
}

std::string fused_lacks(const LlamaConfig& config, const Adapter* adapter) {
  const auto& family = *config.family;
  if (family.has(Part::q_norm) != family.has(Part::k_norm))
    return "norms of queries or of keys alone";
  if (family.has(Part::attention_norm) || family.has(Part::mlp_norm))
    return "norms of what attention and the MLP give";
  if (config.attention_cap > 0) return "soft-capped attention scores";
  if (config.query_scalar > 0 && config.query_scalar != config.head_dim)
    return "a scale of the queries other than 1/sqrt(head_dim)";
  if (family.window == Window::alternate && config.sliding_window > 0)
    return "a window in some blocks only";
  if (adapter == nullptr || !family.has(Part::gate_up)) return {};
  for (std::int64_t layer = 0; layer < config.layers; ++layer)
    if (adapter->at(layer, Projection::gate_up).on()) return "LoRA on gate_up_proj";
  return {};
}

bool runs_fused(const LlamaConfig& config, at::TensorList weights, const Adapter* adapter) {
  if (!can_fuse(weights)) return false;
  const auto lack = fused_lacks(config, adapter);
  if (lack.empty()) return true;
  warn_once("the fast CPU layers do not compute " + lack + " (family " +
            std::string(config.family->type) + "): plain operators run instead, more slowly");
  return false;
}

}  // namespace seawall
