#pragma once
// The one light door to ATen: the Tensor type and its operators, no torch/*.h.
#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>
#include <vector>

namespace seawall {

using at::Tensor;

/// A tensor under its Hugging Face name, e.g. `model.layers.0.mlp.down_proj.weight`.
struct NamedTensor {
  std::string name;
  Tensor tensor;
};
using NamedTensors = std::vector<NamedTensor>;

}  // namespace seawall
