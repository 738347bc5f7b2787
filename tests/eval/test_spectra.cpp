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
  const auto s = drift_spectra(one(start), one(now), SpectrumOf::all, 6).at(0);
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

/// A change whose values fall to a floor of noise, as those of fine-tuning do.
Tensor falling(std::int64_t m, std::int64_t n) {
  Tensor sum = at::randn({m, n}).mul(1e-4);
  for (int i = 0; i < 40; ++i)
    sum = sum + at::matmul(at::randn({m, 1}), at::randn({1, n})).mul(std::pow(0.8, i) / 100);
  return sum;
}

TEST(Spectra, RandomProjectionsFindTheLeadingValues) {
  for (const auto& [m, n] : {std::pair(300, 120), std::pair(90, 400), std::pair(20, 7)}) {
    const Tensor start = at::randn({m, n}), now = start.add(falling(m, n));
    const auto all = drift_spectra(one(start), one(now)).at(0),
               leading = drift_spectra(one(start), one(now), SpectrumOf::leading).at(0);
    for (std::size_t i = 0; i < 16; ++i)
      EXPECT_NEAR(leading.singular[i], all.singular[i], 1e-2 * all.singular[i] + 1e-6) << i;
    EXPECT_NEAR(leading.frobenius, all.frobenius, 1e-4 * all.frobenius);
    EXPECT_TRUE(std::isnan(leading.effective_rank));
    const auto again = drift_spectra(one(start), one(now), SpectrumOf::leading).at(0);
    EXPECT_EQ(again.singular, leading.singular);
  }
}

TEST(Spectra, ProductsNeedNoWeights) {
  const auto pair = [](std::int64_t r) {
    return Adapter::Pair{"w", at::randn({30, r}, at::kDouble), at::randn({r, 50}, at::kDouble)};
  };
  const auto was = pair(3), is = pair(5);
  const auto want =
      drift_spectra(one(at::matmul(was.left, was.right)), one(at::matmul(is.left, is.right))).at(0);
  const auto got = product_spectra({was}, {is}).at(0);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_NEAR(got.singular[i], want.singular[i], 1e-9);
  for (std::size_t i = 8; i < 16; ++i) EXPECT_NEAR(got.singular[i], 0, 1e-9);
  EXPECT_NEAR(got.effective_rank, want.effective_rank, 1e-4);
  EXPECT_THROW(product_spectra({was}, {}), RunError);
}

TEST(Spectra, VectorsAreLeftOutAndNamesMustMatch) {
  const NamedTensors start{{"norm", at::zeros({8})}, {"w", at::zeros({2, 2})}};
  EXPECT_EQ(drift_spectra(start, start).size(), 1u);
  const NamedTensors other{{"norm", at::zeros({8})}, {"v", at::zeros({2, 2})}};
  EXPECT_THROW(drift_spectra(start, other), RunError);
}

}  // namespace
}  // namespace seawall
