#pragma once
// The low-rank products s B A that are trained under LoRA, seen through their factors: their drift
// from the start and its gradient, without a matrix of the weight's size.
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
/// The products among `places`; empty in full fine-tuning.
std::vector<ProductPlace> products_of(ParamView params, const Places& places);

/// One product's factors, now and at the start; a0 and b0 undefined where B0 = 0. Shapes: a, a0
/// [r,in], b, b0 [out,r].
struct ProductFactors {
  Tensor a, b, a0, b0;
  double scale = 1;
};
/// Those of the values that the forward pass reads, in fp32 for narrower types.
ProductFactors factors_of(ParamView params, const ProductPlace& place);

/// |s (B A - B0 A0)|^2 (Frobenius): with L = [B - B0, B0] and R = [A; A - A0] it is
/// trace((L^T L)(R R^T)), free of cancellation where little has moved. Shapes: -> [].
/// Memory: [2r, in] and [out, 2r].
Tensor product_drift_square(const ProductFactors& factors);

/// Gradients of half of that. With E = B A - B0 A0: dA = s^2 B^T E, dB = s^2 E A^T.
struct ProductGradient {
  Tensor a, b;
};
ProductGradient product_drift_gradient(const ProductFactors& factors);

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
std::vector<DriftGroup> drift_groups(const std::map<double, Places>& by_weight, ParamView params,
                                     bool of_products);
/// Sum of squares of a group's drift, fp32. Shapes: -> [].
Tensor drift_square(ParamView params, const DriftGroup& group);
/// Adds `strength` times the gradient of half of that to the gradients.
void add_drift_gradient(ParamView params, const DriftGroup& group, double strength);

}  // namespace seawall
