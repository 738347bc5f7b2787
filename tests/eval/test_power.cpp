#include <gtest/gtest.h>

#include <cmath>

#include "seawall/core/error.hpp"
#include "seawall/core/rng.hpp"
#include "seawall/eval/comparisons.hpp"
#include "seawall/eval/power.hpp"

namespace seawall {
namespace {

/// Independent outcomes: no category, no run goes up or down.
Plan independent(std::int64_t probes, double rate) {
  return {.probes = probes,
          .seeds = 1,
          .categories = probes,
          .rate = rate,
          .category_correlation = 0,
          .lasting_category_correlation = 0,
          .run_correlation = 0,
          .probe_correlation = 0};
}

// Fleiss, Levin and Paik 2003, eq. 4.14 (no continuity correction): 25 % against 40 % wants 151.87,
// that is 152, a group.
TEST(Detectable, UnpairedSampleSizeOfATextbook) {
  EXPECT_LE(minimum_detectable(independent(152, 0.25), false).up, 0.15);
  EXPECT_GT(minimum_detectable(independent(151, 0.25), false).up, 0.15);
}

// Connor 1987: discordance 0.35, difference 0.15 want 119.7, that is 120, pairs. Rates of 14.105 %
// and 29.105 % of independent outcomes have that discordance.
TEST(Detectable, PairedSampleSizeOfConnor) {
  const double rate = 0.14105460;
  EXPECT_NEAR(rate + (rate + 0.15) - 2 * rate * (rate + 0.15), 0.35, 1e-7);
  EXPECT_LE(minimum_detectable(independent(120, rate), true).up, 0.15);
  EXPECT_GT(minimum_detectable(independent(119, rate), true).up, 0.15);
}

// By enumeration with scipy 1.17 (binomial tables, mid-p at most 0.05).
TEST(Detectable, ExactPowerOfMcNemar) {
  EXPECT_NEAR(mcnemar_power(100, 0.10, 0.25), 0.7271669345009252, 1e-9);
  EXPECT_NEAR(mcnemar_power(330, 0.05, 0.10), 0.6580153837788124, 1e-9);
  EXPECT_NEAR(mcnemar_power(50, 0.1, 0.1), 0.041307623477522835, 1e-9);  // its level
  EXPECT_EQ(mcnemar_power(50, 0, 0), 0);
}

TEST(Detectable, TheExactTestFindsWhatThePlanPromises) {
  const auto plan = independent(330, 0.5);
  const double d = minimum_detectable(plan, true).up;
  const double p = 0.5, q = 0.5 + d;
  EXPECT_NEAR(mcnemar_power(330, p * (1 - q), q * (1 - p)), 0.8, 0.02);
}

TEST(Detectable, MoreIsMore) {
  const Plan plan;
  const auto found = [](const Plan& p, bool paired) { return minimum_detectable(p, paired).up; };
  EXPECT_LT(found(plan, true), found(plan, false));
  Plan more = plan;
  more.seeds = 10;
  EXPECT_LT(found(more, true), found(plan, true));
  more = plan;
  more.category_correlation = 0.2;
  EXPECT_GT(found(more, true), found(plan, true));
  more = plan;
  more.lasting_category_correlation = 0.1;
  EXPECT_GT(found(more, true), found(plan, true));
  more = plan;
  more.run_correlation = 0.1;
  EXPECT_GT(found(more, true), found(plan, true));
  more = plan;
  more.probe_correlation = 0.6;
  EXPECT_LT(found(more, true), found(plan, true));
  EXPECT_DOUBLE_EQ(found(more, false), found(plan, false));
  // Categories are what limits: probes without end do not help beyond them.
  more = plan;
  more.probes = 1000000;
  EXPECT_GT(found(more, true), 0.5 * found(plan, true));
  more.seeds = 1000;
  EXPECT_GT(found(more, true), 0.3 * found(plan, true));
}

TEST(Detectable, EdgesHaveOneDirectionOrNone) {
  Plan plan;
  plan.rate = 0;
  EXPECT_TRUE(std::isnan(minimum_detectable(plan, true).down));
  EXPECT_GT(minimum_detectable(plan, true).up, 0);
  EXPECT_EQ(minimum_detectable(plan, true).smaller(), minimum_detectable(plan, true).up);
  const auto few = independent(3, 0.5);
  EXPECT_TRUE(std::isnan(minimum_detectable(few, false).up));
  plan.rate = 1.5;
  EXPECT_THROW(minimum_detectable(plan, true), UsageError);
  plan.rate = 0.5;
  plan.categories = 331;
  EXPECT_THROW(minimum_detectable(plan, true), UsageError);
}

// The plan's promise against the test that will be run: arms that differ by what is detectable are
// told apart about four times in five, the runs and categories going up and down as assumed. The
// seeds' reading has few degrees of freedom, which the plan does not know, so with ten seeds.
TEST(Detectable, SimulatedPower) {
  Plan plan;
  plan.seeds = 10;
  plan.category_correlation = plan.lasting_category_correlation = 0;
  plan.probe_correlation = 0;
  const double d = minimum_detectable(plan, true).up;
  const double spread = std::sqrt(plan.run_correlation * 0.25);  // variance in units of p(1 - p)
  Rng rng = Rng(5).stream("power");
  constexpr int trials = 100;
  int found = 0;
  for (int t = 0; t < trials; ++t) {
    std::vector<ArmRuns> arms{{"a", {}}, {"b", {}}};
    for (std::size_t a = 0; a < 2; ++a) {
      for (std::int64_t s = 0; s < plan.seeds; ++s) {
        const double p = 0.5 + (a == 1 ? d : 0) + spread * rng.normal();
        auto& run = arms[a].runs.emplace_back();
        for (int i = 0; i < 330; ++i)
          run.push_back(
              {.category = std::to_string(i / 30), .score = rng.uniform() < p ? 5.0 : 1.0});
      }
    }
    found += compare_all(arms).front().different;
  }
  EXPECT_GE(found, 60);
  EXPECT_LE(found, 92);
}

TEST(Detectable, TheTableSaysWhatItAssumes) {
  Plan plan;
  plan.rate = 0.3;
  const std::string table = plan_table(plan);
  EXPECT_NE(table.find("330 probes in 11 categories x 3 seeds"), std::string::npos) << table;
  EXPECT_NE(table.find("from a rate of 30.0"), std::string::npos) << table;
  EXPECT_NE(table.find("10 seeds, from 30.0"), std::string::npos) << table;
}

}  // namespace
}  // namespace seawall
