#pragma once
// Gradients, drifts and lists of the trainable weights; lists are what foreach operators take.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
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

// Lists of one tensor for each parameter, such as Trainer::gradient gives.

/// Copies of what backward left, in fp32 (fp64 for fp64 weights).
inline Tensors gradients_of(ParamView params) {
  Tensors all;
  for (const Param& p : params) {
    const Tensor g = gradient_of(p).detach();
    all.push_back(g.to(g.scalar_type() == at::kDouble ? at::kDouble : at::kFloat, false, true));
  }
  return all;
}
/// gradient += scale * more, to be taken by the optimizer.
inline void add_to_gradients(ParamView params, const Tensors& more, double scale = 1) {
  at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < more.size(); ++i) gradient_of(params.at(i)).add_(more[i], scale);
}
/// a + scale * b, in place.
inline void add(const Tensors& a, const Tensors& b, double scale = 1) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i].add_(b[i], scale);
}
/// Over all of them; the parts in their type, their sum in fp64.
inline double dot(const Tensors& a, const Tensors& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i].mul(b[i]).sum().item<double>();
  return sum;
}
inline double norm(const Tensors& a) { return std::sqrt(dot(a, a)); }
/// One vector of all of them.
inline Tensor flat(const Tensors& parts) {
  Tensors rows;
  for (const Tensor& t : parts) rows.push_back(t.reshape({-1}));
  return at::cat(rows);
}
/// The parts of such a vector, shaped like the parameters.
inline Tensors parts_of(const Tensor& flat, ParamView params) {
  Tensors out;
  std::int64_t at = 0;
  for (const Param& p : params) {
    out.push_back(flat.narrow(0, at, p.value.numel()).view_as(p.value));
    at += p.value.numel();
  }
  return out;
}
/// What the optimizer moves, copied.
inline Tensors copied(ParamView params) {
  Tensors all;
  for (const Param& p : params) all.push_back(p.master.detach().clone());
  return all;
}

/// theta + scale * direction while it lives; then the very bits from before, from a copy (`-=`
/// after `+=` loses some). Not between a loss and its gradient: a graph keeps the weights that it
/// was made of, and says so if they moved. Under bf16 a shift below half a unit in the last place
/// is lost. Memory: one copy of the weights.
class Shifted {
 public:
  Shifted(ParamView params, const Tensors& direction, double scale) : params_(params) {
    at::NoGradGuard no_grad;
    for (std::size_t i = 0; i < params.size(); ++i) {
      before_.push_back(params[i].value.detach().clone());
      params[i].value.detach().add_(direction[i], scale);
    }
  }
  ~Shifted() {
    at::NoGradGuard no_grad;
    for (std::size_t i = 0; i < params_.size(); ++i) params_[i].value.detach().copy_(before_[i]);
  }
  Shifted(const Shifted&) = delete;
  Shifted& operator=(const Shifted&) = delete;

 private:
  ParamView params_;
  Tensors before_;
};

}  // namespace seawall
