#pragma once
// Lists of tensors from some of the trainable weights, as foreach operators take them.
#include <cstddef>
#include <vector>

#include "seawall/policy/hooks.hpp"

namespace seawall {

/// Places in a ParamView.
using Places = std::vector<std::size_t>;
using Tensors = std::vector<Tensor>;

Tensors masters(ParamView params, const Places& places);
/// Gradients to edit in place; zeros are put where backward left none.
Tensors gradients(ParamView params, const Places& places);
/// theta0 in the precision of the masters.
Tensors starts(ParamView params, const Places& places);
/// theta - theta0, of what the forward pass reads. Memory: one copy of these weights.
Tensors drifts(ParamView params, const Places& places);

}  // namespace seawall
