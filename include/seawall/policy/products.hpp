#pragma once
// The low-rank products s B A that are trained under LoRA, seen through their factors: their drift
// from the start and its gradient, without a matrix of the weight's size.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <vector>

#include "seawall/policy/params.hpp"

namespace seawall {
/// Places of the two factors of one product.
struct ProductPlace {
  std::size_t a = 0, b = 0;
  double scale = 0;
  bool from_zero = true;  // B0 = 0, as of every fresh adapter
};
/// One product's factors, now and at the start; a0 and b0 undefined where B0 = 0. Shapes: a, a0
/// [r,in], b, b0 [out,r].
struct ProductFactors {
  Tensor a, b, a0, b0;
  double scale = 1;
};
namespace detail {

inline Tensor wide(const Tensor& t) {
  return t.scalar_type() == at::kDouble ? t.detach() : t.detach().to(at::kFloat);
}

/// L and R of E = L R. Shapes: left [out,2r], right [2r,in].
struct Split {
  Tensor left, right;
};
inline Split split(const ProductFactors& f) {
  if (!f.b0.defined()) return {f.b, f.a};
  return {at::cat({f.b.sub(f.b0), f.b0}, 1), at::cat({f.a, f.a.sub(f.a0)}, 0)};
}

}  // namespace detail

/// The products among `places`; empty in full fine-tuning.
inline std::vector<ProductPlace> products_of(ParamView params, const Places& places) {
  std::vector<ProductPlace> out;
  for (const std::size_t i : places)
    if (i + 1 < params.size() && params[i].scale != 0 && params[i].name.ends_with("lora_A.weight"))
      out.push_back({i, i + 1, params[i].scale, !params[i + 1].start.ne(0).any().item<bool>()});
  return out;
}

/// Those of the values that the forward pass reads, in fp32 for narrower types.
inline ProductFactors factors_of(ParamView params, const ProductPlace& place) {
  const Param &a = params.at(place.a), &b = params.at(place.b);
  if (place.from_zero) return {detail::wide(a.value), detail::wide(b.value), {}, {}, place.scale};
  return {detail::wide(a.value), detail::wide(b.value), detail::wide(a.start),
          detail::wide(b.start), place.scale};
}

/// |s (B A - B0 A0)|^2 (Frobenius): with L = [B - B0, B0] and R = [A; A - A0] it is
/// trace((L^T L)(R R^T)), free of cancellation where little has moved. Shapes: -> [].
/// Memory: [2r, in] and [out, 2r].
inline Tensor product_drift_square(const ProductFactors& f) {
  at::NoGradGuard no_grad;
  const auto [left, right] = detail::split(f);
  const Tensor outer = at::matmul(left.t(), left), inner = at::matmul(right, right.t());  // [2r,2r]
  return outer.mul(inner).sum().mul(f.scale * f.scale);
}

/// Gradients of half of that. With E = B A - B0 A0: dA = s^2 B^T E, dB = s^2 E A^T.
struct ProductGradient {
  Tensor a, b;
};
inline ProductGradient product_drift_gradient(const ProductFactors& f) {
  at::NoGradGuard no_grad;
  const auto [left, right] = detail::split(f);
  const double square = f.scale * f.scale;
  return {at::matmul(at::matmul(f.b.t(), left), right).mul_(square),   // [r,in]
          at::matmul(left, at::matmul(right, f.a.t())).mul_(square)};  // [out,r]
}

/// Parameters whose drift weighs the same.
struct DriftGroup {
  double weight = 1;
  std::vector<ProductPlace> products;  // under LoRA, where the drift is that of the products
  /// The parameters; of products those that a step towards the start moves: B, and A where the
  /// product did not start at zero.
  Places places;
};
/// `places` by weight. Under LoRA every parameter is a factor, so a group is of products or of
/// whole tensors.
inline std::vector<DriftGroup> drift_groups(const std::map<double, Places>& by_weight,
                                            ParamView params, bool of_products) {
  std::vector<DriftGroup> out;
  for (const auto& [weight, places] : by_weight) {
    DriftGroup group{weight, {}, places};
    if (of_products) group.products = products_of(params, places);
    if (!group.products.empty()) group.places.clear();
    for (const auto& p : group.products) {
      if (!p.from_zero) group.places.push_back(p.a);
      group.places.push_back(p.b);
    }
    out.push_back(std::move(group));
  }
  return out;
}
/// Sum of squares of a group's drift, fp32. Shapes: -> [].
inline Tensor drift_square(ParamView params, const DriftGroup& group) {
  Tensors squares;
  for (const auto& product : group.products)
    squares.push_back(product_drift_square(factors_of(params, product)));
  for (const auto i : group.products.empty() ? group.places : Places{}) {
    const Tensor drift = drift_of(params[i]).flatten();
    squares.push_back(drift.dot(drift));
  }
  return at::stack(squares).to(at::kFloat).sum();
}
/// Adds `strength` times the gradient of half of that to the gradients.
inline void add_drift_gradient(ParamView params, const DriftGroup& group, double strength) {
  for (const auto& product : group.products) {
    const auto [a, b] = product_drift_gradient(factors_of(params, product));
    gradient_of(params[product.a]).add_(a, strength);
    gradient_of(params[product.b]).add_(b, strength);
  }
  for (const auto i : group.products.empty() ? group.places : Places{})
    gradient_of(params[i]).add_(drift_of(params[i]), strength);
}

}  // namespace seawall
