#include <gtest/gtest.h>

#include "seawall/core/interval.hpp"

namespace seawall {
namespace {

TEST(Interval, PercentAsEveryTablePrintsIt) {
  EXPECT_EQ(percent_text({0.4126, 0.2941, 0.5259}), "41.3 [29.4, 52.6]");
  EXPECT_EQ(percent_text({0, 0, 0.0115}), "0.0 [0.0, 1.1]");
  EXPECT_EQ(percent_text({not_measured, 0, 1}), "-");  // nothing was judged
}

TEST(Interval, InvalidRowsCountBothWays) {
  const Estimate e = wilson_with_invalid(45, 100, 10);
  EXPECT_DOUBLE_EQ(e.value, 0.5);
  EXPECT_DOUBLE_EQ(e.lo, wilson(45, 100).lo);
  EXPECT_DOUBLE_EQ(e.hi, wilson(55, 100).hi);
  EXPECT_FALSE(wilson_with_invalid(0, 20, 20).measured());
}

}  // namespace
}  // namespace seawall
