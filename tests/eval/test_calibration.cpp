#include "seawall/eval/calibration.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

TEST(Calibration, ByHand) {
  // Bin [0, 0.5): 0.1, 0.3 with labels 0, 1; bin [0.5, 1]: 0.5, 0.9, 1 with labels 1, 1, 0.
  const auto c =
      calibrate({0.1, 0.9, std::nan(""), 0.3, 0.5, 1.0}, {false, true, true, true, true, false}, 2);
  EXPECT_EQ(c.n, 5);
  ASSERT_EQ(c.bins.size(), 2u);
  EXPECT_EQ(c.bins[0].n, 2);
  EXPECT_NEAR(c.bins[0].confidence, 0.2, 1e-12);
  EXPECT_NEAR(c.bins[0].share, 0.5, 1e-12);
  EXPECT_EQ(c.bins[1].n, 3);
  EXPECT_NEAR(c.bins[1].confidence, 0.8, 1e-12);
  EXPECT_NEAR(c.bins[1].share, 2.0 / 3, 1e-12);
  EXPECT_NEAR(c.ece, (2 * 0.3 + 3 * (0.8 - 2.0 / 3)) / 5, 1e-12);
  EXPECT_NEAR(c.brier, (0.01 + 0.49 + 0.25 + 0.01 + 1) / 5, 1e-12);
}

TEST(Calibration, PerfectAndEmpty) {
  const auto perfect = calibrate({0, 1, 1}, {false, true, true});
  EXPECT_EQ(perfect.ece, 0);
  EXPECT_EQ(perfect.bins.size(), 10u);
  EXPECT_EQ(perfect.bins[9].n, 2);
  EXPECT_TRUE(std::isnan(perfect.bins[5].share));
  EXPECT_TRUE(std::isnan(calibrate({}, {}).ece));
  EXPECT_THROW(calibrate({0.5}, {}), UsageError);
  EXPECT_THROW(calibrate({1.5}, {true}), UsageError);
}

}  // namespace
}  // namespace seawall
