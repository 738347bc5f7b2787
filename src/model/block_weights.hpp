#pragma once
// Where the weights of a block are in the list of all blocks' tensors.
#include <cstdint>

#include "model/layer.hpp"
#include "seawall/core/tensor.hpp"
#include "seawall/model/config.hpp"

namespace seawall {

/// Tensors of one block, in the order of Family::block.
inline std::int64_t layer_tensors(const LlamaConfig& config) {
  return static_cast<std::int64_t>(config.family->block.size());
}

/// A part of a block: a tensor of it, or some rows of a fused one.
struct PartPlace {
  std::int64_t tensor = -1;  // -1: the family does not have it
  std::int64_t row = 0;
};
PartPlace place_of(const LlamaConfig& config, Part part);

/// Pointers into the memory of one block's tensors; null for what is not there or not defined.
template <class Pointer>
cpu::LayerFactors<Pointer> weights_of(const LlamaConfig& config, at::TensorList tensors,
                                      std::int64_t layer) {
  const auto p = [&](Part part) -> Pointer* {
    const auto place = place_of(config, part);
    if (place.tensor < 0) return nullptr;
    const Tensor& tensor = tensors[layer * layer_tensors(config) + place.tensor];
    if (!tensor.defined()) return nullptr;
    return static_cast<Pointer*>(tensor.data_ptr()) + place.row * config.hidden_size;
  };
  return {p(Part::norm1),  p(Part::q),      p(Part::k),      p(Part::v),     p(Part::o),
          p(Part::norm2),  p(Part::gate),   p(Part::up),     p(Part::down),  p(Part::q_bias),
          p(Part::k_bias), p(Part::v_bias), p(Part::q_norm), p(Part::k_norm)};
}

}  // namespace seawall
