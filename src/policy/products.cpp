#include "seawall/policy/products.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/stack.h>

#include <algorithm>

namespace seawall {
namespace {

Tensor wide(const Tensor& t) {
  return t.scalar_type() == at::kDouble ? t.detach() : t.detach().to(at::kFloat);
}

/// L and R of E = L R. Shapes: left [out,2r], right [2r,in].
struct Split {
  Tensor left, right;
};
Split split(const ProductFactors& f) {
  if (!f.b0.defined()) return {f.b, f.a};
  return {at::cat({f.b.sub(f.b0), f.b0}, 1), at::cat({f.a, f.a.sub(f.a0)}, 0)};
}

}  // namespace

std::vector<ProductPlace> products_of(ParamView params, const Places& places) {
  std::vector<ProductPlace> out;
  for (const std::size_t i : places)
    if (i + 1 < params.size() && params[i].scale != 0 && params[i].name.ends_with("lora_A.weight"))
      out.push_back({i, i + 1, params[i].scale, !params[i + 1].start.ne(0).any().item<bool>()});
  return out;
}

ProductFactors factors_of(ParamView params, const ProductPlace& place) {
  const Param &a = params.at(place.a), &b = params.at(place.b);
  if (place.from_zero) return {wide(a.value), wide(b.value), {}, {}, place.scale};
  return {wide(a.value), wide(b.value), wide(a.start), wide(b.start), place.scale};
}

Tensor product_drift_square(const ProductFactors& f) {
  at::NoGradGuard no_grad;
  const auto [left, right] = split(f);
  const Tensor outer = at::matmul(left.t(), left), inner = at::matmul(right, right.t());  // [2r,2r]
  return outer.mul(inner).sum().mul(f.scale * f.scale);
}

ProductGradient product_drift_gradient(const ProductFactors& f) {
  at::NoGradGuard no_grad;
  const auto [left, right] = split(f);
  const double square = f.scale * f.scale;
  return {at::matmul(at::matmul(f.b.t(), left), right).mul_(square),   // [r,in]
          at::matmul(left, at::matmul(right, f.a.t())).mul_(square)};  // [out,r]
}

std::vector<DriftGroup> drift_groups(const std::map<double, Places>& by_weight, ParamView params,
                                     bool of_products) {
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

Tensor drift_square(ParamView params, const DriftGroup& group) {
  Tensors squares;
  for (const auto& product : group.products)
    squares.push_back(product_drift_square(factors_of(params, product)));
  for (const auto i : group.products.empty() ? group.places : Places{}) {
    const Tensor drift = drift_of(params[i]).flatten();
    squares.push_back(drift.dot(drift));
  }
  return at::stack(squares).to(at::kFloat).sum();
}

void add_drift_gradient(ParamView params, const DriftGroup& group, double strength) {
  for (const auto& product : group.products) {
    const auto [a, b] = product_drift_gradient(factors_of(params, product));
    gradient_of(params[product.a]).add_(a, strength);
    gradient_of(params[product.b]).add_(b, strength);
  }
  for (const auto i : group.products.empty() ? group.places : Places{})
    gradient_of(params[i]).add_(drift_of(params[i]), strength);
}

}  // namespace seawall
