#pragma once
// Gradients, drifts and lists of the trainable weights; lists are what foreach operators take.
#include <cstddef>
#include <vector>

#include "seawall/policy/hooks.hpp"

namespace seawall {

/// Places in a ParamView.
using Places = std::vector<std::size_t>;
using Tensors = std::vector<Tensor>;

/// The gradient, to edit in place; zeros are put where backward left none.
Tensor gradient_of(const Param& param);
/// theta - theta0, of what the forward pass reads. One parameter after the other, it stays in
/// cache: on a CPU a loop over this takes half of what foreach operators do over `drifts`.
Tensor drift_of(const Param& param);

/// Every place of a ParamView.
Places everywhere(ParamView params);

Tensors masters(ParamView params, const Places& places);
/// theta0 in the precision of the masters.
Tensors starts(ParamView params, const Places& places);
/// `drift_of` each. Memory: one copy of these weights.
Tensors drifts(ParamView params, const Places& places);

}  // namespace seawall
