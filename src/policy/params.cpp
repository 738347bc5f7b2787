#include "seawall/policy/params.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>

#include <numeric>

namespace seawall {
namespace {
Tensors list(ParamView params, const Places& places, auto&& pick) {
  Tensors all;
  all.reserve(places.size());
  for (const std::size_t i : places) all.push_back(pick(params.at(i)));
  return all;
}
}  // namespace

Tensor gradient_of(const Param& param) {
  if (!param.value.grad().defined())
    param.value.mutable_grad() = at::zeros_like(param.value.detach());
  return param.value.grad();
}

Tensor drift_of(const Param& param) {
  at::NoGradGuard no_grad;
  return param.value.sub(param.start.to(param.value.scalar_type()));
}

Places everywhere(ParamView params) {
  Places places(params.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  return places;
}

Tensors masters(ParamView params, const Places& places) {
  return list(params, places, [](const Param& p) { return p.master; });
}

Tensors starts(ParamView params, const Places& places) {
  return list(params, places, [](const Param& p) { return p.start.to(p.master.scalar_type()); });
}

Tensors drifts(ParamView params, const Places& places) { return list(params, places, drift_of); }

}  // namespace seawall
