#pragma once
// Gradients, drifts and lists of the trainable weights; lists are what foreach operators take.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>

#include <cstddef>
#include <numeric>
#include <vector>

#include "seawall/policy/hooks.hpp"

namespace seawall {
/// Places in a ParamView.
using Places = std::vector<std::size_t>;
using Tensors = std::vector<Tensor>;

namespace detail {

inline Tensors list(ParamView params, const Places& places, auto&& pick) {
  Tensors all;
  all.reserve(places.size());
  for (const std::size_t i : places) all.push_back(pick(params.at(i)));
  return all;
}

}  // namespace detail

/// The gradient, to edit in place; zeros are put where backward left none.
inline Tensor gradient_of(const Param& param) {
  if (!param.value.grad().defined())
    param.value.mutable_grad() = at::zeros_like(param.value.detach());
  return param.value.grad();
}
/// theta - theta0, of what the forward pass reads. One parameter after the other, it stays in
/// cache: on a CPU a loop over this takes half of what foreach operators do over `drifts`.
inline Tensor drift_of(const Param& param) {
  at::NoGradGuard no_grad;
  return param.value.sub(param.start.to(param.value.scalar_type()));
}

/// Every place of a ParamView.
inline Places everywhere(ParamView params) {
  Places places(params.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  return places;
}

inline Tensors masters(ParamView params, const Places& places) {
  return detail::list(params, places, [](const Param& p) { return p.master; });
}
/// theta0 in the precision of the masters.
inline Tensors starts(ParamView params, const Places& places) {
  return detail::list(params, places,
                      [](const Param& p) { return p.start.to(p.master.scalar_type()); });
}
/// `drift_of` each. Memory: one copy of these weights.
inline Tensors drifts(ParamView params, const Places& places) {
  return detail::list(params, places, drift_of);
}

}  // namespace seawall
