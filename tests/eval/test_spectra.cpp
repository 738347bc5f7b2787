#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>

#include "seawall/core/error.hpp"
#include "seawall/eval/spectra.hpp"

namespace seawall {
namespace {

NamedTensors one(const Tensor& t) { return {{"w", t}}; }

TEST(Spectra, DiagonalDriftIsItsOwnSpectrum) {
  const Tensor start = at::zeros({4, 6});
  Tensor now = at::zeros({4, 6});
  const float values[] = {3, 1, 2, 0};
  for (int i = 0; i < 4; ++i) now[i][i].fill_(values[i]);
  const auto s = drift_spectra(one(start), one(now), 6).at(0);
  ASSERT_EQ(s.singular.size(), 6u);
  EXPECT_NEAR(s.singular[0], 3, 1e-9);
  EXPECT_NEAR(s.singular[1], 2, 1e-9);
  EXPECT_NEAR(s.singular[2], 1, 1e-9);
  EXPECT_EQ(s.singular[4], 0);
  EXPECT_NEAR(s.frobenius, std::sqrt(14.0), 1e-9);
  const double h = -(0.5 * std::log(0.5) + std::log(1.0 / 3) / 3 + std::log(1.0 / 6) / 6);
  EXPECT_NEAR(s.effective_rank, std::exp(h), 1e-9);
}

TEST(Spectra, LowRankDriftHasLowEffectiveRank) {
  const Tensor start = at::randn({64, 48});
  const Tensor now = start.add(at::matmul(at::randn({64, 1}), at::randn({1, 48})));
  const auto s = drift_spectra(one(start), one(now)).at(0);
  // fp32 rounding of start + drift leaves a floor of small singular values, so a little above 1.
  EXPECT_GE(s.effective_rank, 1.0);
  EXPECT_LT(s.effective_rank, 1.01);
}

TEST(Spectra, NothingMovedIsRankZero) {
  const Tensor w = at::randn({8, 8});
  const auto s = drift_spectra(one(w), one(w.clone())).at(0);
  EXPECT_EQ(s.effective_rank, 0);
  EXPECT_EQ(s.frobenius, 0);
}

TEST(Spectra, VectorsAreLeftOutAndNamesMustMatch) {
  const NamedTensors start{{"norm", at::zeros({8})}, {"w", at::zeros({2, 2})}};
  EXPECT_EQ(drift_spectra(start, start).size(), 1u);
  const NamedTensors other{{"norm", at::zeros({8})}, {"v", at::zeros({2, 2})}};
  EXPECT_THROW(drift_spectra(start, other), RunError);
}

}  // namespace
}  // namespace seawall
