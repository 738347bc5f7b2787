#pragma once
// How far two tensors are apart.
#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

namespace seawall::testing {

/// In double, so that the comparison itself rounds nothing.
inline double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  EXPECT_EQ(a.sizes(), b.sizes());
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

}  // namespace seawall::testing
