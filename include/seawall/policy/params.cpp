#include "seawall/policy/params.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_sub.h>
#include <ATen/ops/zeros_like.h>

namespace seawall {
namespace {
Tensors list(ParamView params, const Places& places, auto&& pick) {
  Tensors all;
  all.reserve(places.size());
  for (const std::size_t i : places) all.push_back(pick(params.at(i)));
  return all;
}
}  // namespace

Tensors masters(ParamView params, const Places& places) {
  return list(params, places, [](const Param& p) { return p.master; });
}

Tensors gradients(ParamView params, const Places& places) {
  return list(params, places, [](const Param& p) {
    if (!p.value.grad().defined()) p.value.mutable_grad() = at::zeros_like(p.value.detach());
    return p.value.grad();
  });
}

Tensors starts(ParamView params, const Places& places) {
  return list(params, places, [](const Param& p) { return p.start.to(p.master.scalar_type()); });
}

Tensors drifts(ParamView params, const Places& places) {
  at::NoGradGuard no_grad;
  return at::_foreach_sub(
      list(params, places, [](const Param& p) { return p.value; }),
      list(params, places, [](const Param& p) { return p.start.to(p.value.scalar_type()); }));
}

}  // namespace seawall
