#include <gtest/gtest.h>

#include <cmath>

#include "seawall/core/error.hpp"
#include "seawall/eval/means.hpp"

namespace seawall {
namespace {

std::vector<ProbeNumber> numbers(const std::vector<double>& values, int categories = 1) {
  std::vector<ProbeNumber> out;
  for (std::size_t i = 0; i < values.size(); ++i)
    out.push_back({std::to_string(static_cast<int>(i) % categories), values[i]});
  return out;
}

TEST(MeanOfNumbers, OfOneRunIsStudentsInterval) {
  // scipy.stats.t.interval(0.95, 3, 2.5, scipy.stats.sem([1, 2, 3, 4]))
  const Estimate e = mean_of_numbers({numbers({1, 2, 3, 4})});
  EXPECT_DOUBLE_EQ(e.value, 2.5);
  EXPECT_NEAR(e.lo, 0.445739743239121, 1e-12);
  EXPECT_NEAR(e.hi, 4.554260256760879, 1e-12);
  // Categories are a sample only if there are several runs.
  const Estimate by_category = mean_of_numbers({numbers({1, 2, 3, 4}, 2)});
  EXPECT_DOUBLE_EQ(by_category.lo, e.lo);
}

TEST(MeanOfNumbers, OfSeveralRunsSpreadsOverThem) {
  const auto alike = mean_of_numbers({numbers({1, 2, 3, 4}), numbers({1, 2, 3, 4})});
  const auto one = mean_of_numbers({numbers({1, 2, 3, 4})});
  EXPECT_DOUBLE_EQ(alike.value, 2.5);
  // Two runs that agree are no more probes: the pooled deviation at the probes of one run.
  EXPECT_NEAR(alike.hi - alike.value, 3.182446305284263 * std::sqrt(10.0 / 7 / 4), 1e-9);
  EXPECT_GT(alike.hi - alike.lo, 0.9 * (one.hi - one.lo));
  // Runs at 0, 0.1 and 10 of many equal probes: runs are all there is. Their error is that of three
  // means, with t at 2 degrees of freedom.
  const auto apart = mean_of_numbers(
      {numbers({0, 0, 0, 0}), numbers({0.1, 0.1, 0.1, 0.1}), numbers({10, 10, 10, 10})});
  const double mean = 10.1 / 3;
  const double error =
      std::sqrt((mean * mean + (mean - 0.1) * (mean - 0.1) + (10 - mean) * (10 - mean)) / 2 / 3);
  EXPECT_DOUBLE_EQ(apart.value, mean);
  EXPECT_NEAR(apart.hi - apart.value, 4.302652729696142 * error, 1e-9);
}

TEST(MeanOfNumbers, SaysWhatItCannotKnow) {
  EXPECT_FALSE(mean_of_numbers({}).measured());
  EXPECT_FALSE(mean_of_numbers({{}, {}}).measured());
  const Estimate single = mean_of_numbers({numbers({7}), {}});
  EXPECT_DOUBLE_EQ(single.value, 7);
  EXPECT_TRUE(std::isnan(single.lo) && std::isnan(single.hi));
  EXPECT_THROW(mean_of_numbers({numbers({1, std::nan("")})}), UsageError);
  // A run without a number is no run.
  EXPECT_DOUBLE_EQ(mean_of_numbers({numbers({1, 2, 3, 4}), {}}).hi,
                   mean_of_numbers({numbers({1, 2, 3, 4})}).hi);
}

}  // namespace
}  // namespace seawall
