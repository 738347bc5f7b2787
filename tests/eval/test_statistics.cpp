#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/eval/statistics.hpp"

namespace seawall {
namespace {

// Wilson intervals printed in Newcombe 1998, "Two-sided confidence intervals for the single
// proportion", table I, method 3.
TEST(Wilson, PublishedExamples) {
  struct Example {
    double k, n, lo, hi;
  };
  for (const auto& e : {Example{81, 263, 0.2553, 0.3662}, Example{15, 148, 0.0624, 0.1605},
                        Example{0, 20, 0.0, 0.1611}, Example{1, 29, 0.0061, 0.1718}}) {
    const Estimate got = wilson(e.k, e.n);
    EXPECT_NEAR(got.lo, e.lo, 5e-5) << e.k << "/" << e.n;
    EXPECT_NEAR(got.hi, e.hi, 5e-5) << e.k << "/" << e.n;
    EXPECT_DOUBLE_EQ(got.value, e.k / e.n);
  }
}

TEST(Wilson, EdgesAreClosed) {
  EXPECT_EQ(wilson(0, 330).lo, 0.0);
  EXPECT_GT(wilson(0, 330).hi, 0.005);
  EXPECT_EQ(wilson(330, 330).hi, 1.0);
  EXPECT_LT(wilson(330, 330).lo, 0.995);
  EXPECT_EQ(wilson(0, 0).hi, 1.0);
}

std::vector<Outcome> run_of(int categories, int each, int successes_each, bool valid = true) {
  std::vector<Outcome> out;
  for (int c = 0; c < categories; ++c)
    for (int i = 0; i < each; ++i)
      out.push_back({"category " + std::to_string(c), i < successes_each ? 5.0 : 1.0, valid});
  return out;
}

TEST(Cell, MeanOverSeedsAndProbes) {
  const auto cell = estimate_cell({run_of(11, 30, 30), run_of(11, 30, 15), run_of(11, 30, 0)});
  EXPECT_EQ(cell.seeds, 3);
  EXPECT_EQ(cell.n, 330);
  EXPECT_NEAR(cell.rate.value, 0.5, 1e-12);
  EXPECT_NEAR(cell.score.value, 3.0, 1e-12);
  // Seeds that disagree this much leave nearly everything open.
  EXPECT_LT(cell.rate.lo, 0.05);
  EXPECT_GT(cell.rate.hi, 0.95);
}

TEST(Cell, EqualRunsKeepTheIntervalOfOne) {
  const auto three = estimate_cell({run_of(11, 30, 30), run_of(11, 30, 30), run_of(11, 30, 30)});
  EXPECT_EQ(three.rate.value, 1.0);
  EXPECT_DOUBLE_EQ(
      three.rate.lo,
      wilson(330, 330).lo);  // never narrower than one run's: the probes are the same ones
  EXPECT_EQ(three.rate.hi, 1.0);
}

TEST(Cell, ClustersWidenTheInterval) {
  std::vector<Outcome> clustered;  // the same rate, all of it in five of ten categories
  for (int c = 0; c < 10; ++c)
    for (int i = 0; i < 33; ++i)
      clustered.push_back({"c" + std::to_string(c), c < 5 ? 5.0 : 1.0, true});
  const auto narrow = wilson(165, 330);
  const auto wide = estimate_cell({clustered});
  EXPECT_GT(wide.rate.hi - wide.rate.lo, 2 * (narrow.hi - narrow.lo));
}

TEST(Cell, InvalidRowsCountBothWays) {
  auto run = run_of(11, 30, 0);
  for (int i = 0; i < 33; ++i) run[static_cast<std::size_t>(i * 10)].valid = false;  // a tenth
  const auto cell = estimate_cell({run});
  EXPECT_EQ(cell.invalid, 33);
  EXPECT_EQ(cell.rate.value, 0.0);
  EXPECT_EQ(cell.rate.lo, 0.0);
  EXPECT_GT(cell.rate.hi, 0.1);
}

TEST(Cell, SameSeedSameBits) {
  const std::vector<std::vector<Outcome>> runs{run_of(11, 30, 20), run_of(11, 30, 25)};
  EXPECT_EQ(estimate_cell(runs, 7).rate.lo, estimate_cell(runs, 7).rate.lo);
  EXPECT_EQ(estimate_cell(runs, 7).score.hi, estimate_cell(runs, 7).score.hi);
}

TEST(Cell, RefusesRunsOfDifferentProbes) {
  EXPECT_THROW(estimate_cell({run_of(11, 30, 1), run_of(11, 29, 1)}), UsageError);
  EXPECT_THROW(estimate_cell({}), UsageError);
  auto other = run_of(11, 30, 1);
  other[0].category = "elsewhere";
  EXPECT_THROW(estimate_cell({run_of(11, 30, 1), other}), UsageError);
}

}  // namespace
}  // namespace seawall
