#include <gtest/gtest.h>

#include "seawall/core/error.hpp"
#include "seawall/eval/ties.hpp"

namespace seawall {
namespace {

/// Cells whose runs have so many of 100 successes. Shapes: counts [seed][cell].
std::vector<ArmRuns> cells_of(const std::vector<std::vector<int>>& counts) {
  std::vector<ArmRuns> cells(counts.front().size());
  for (const auto& seed : counts)
    for (std::size_t c = 0; c < cells.size(); ++c) {
      cells[c].name = std::to_string(c);
      auto& run = cells[c].runs.emplace_back();
      for (int i = 0; i < 100; ++i)
        run.push_back({.category = std::to_string(i % 10), .score = i < seed[c] ? 5.0 : 1.0});
    }
  return cells;
}

// p of both directions is twice that of scipy 1.17, page_trend_test(method="exact"); the third is
// the example of its documentation (students rate three lectures), with ties. 42 and 88 stand in
// Page's table of 1963 as beyond 1 %.
TEST(Trend, PagesTest) {
  const auto check = [](const std::vector<std::vector<int>>& counts, double l, double p) {
    const Trend up = page_trend(cells_of(counts));
    EXPECT_DOUBLE_EQ(up.l, l);
    EXPECT_NEAR(up.p, 2 * p, 1e-12);
    EXPECT_TRUE(up.rises);
    auto reversed = cells_of(counts);
    std::reverse(reversed.begin(), reversed.end());
    const Trend down = page_trend(reversed);
    EXPECT_FALSE(down.rises);
    EXPECT_DOUBLE_EQ(down.p, up.p);
  };
  check({{34, 61, 76}, {20, 63, 70}, {48, 55, 60}}, 42, 0.004629629629629629);
  check({{1, 2, 3, 4}, {2, 1, 3, 4}, {1, 3, 2, 4}}, 88, 0.0028935185185185184);
  check({{3, 4, 3},
         {2, 2, 4},
         {3, 3, 5},
         {1, 3, 2},
         {2, 3, 2},
         {2, 4, 5},
         {1, 2, 4},
         {3, 4, 4},
         {2, 4, 5},
         {1, 3, 4}},
        133.5, 0.0018191161948127822);
  check({{1, 1, 2}, {1, 2, 3}, {2, 2, 3}}, 41, 0.032407407407407406);
}

TEST(Trend, ManyCellsByTheNormalApproximation) {
  const auto trend = page_trend(cells_of({{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
                                          {2, 1, 3, 4, 5, 7, 6, 8, 9, 11, 10},
                                          {1, 2, 3, 4, 6, 5, 7, 8, 9, 10, 11}}));
  EXPECT_DOUBLE_EQ(trend.l, 1514);
  EXPECT_NEAR(trend.p, 2 * 3.136578292628134e-08, 1e-13);
}

TEST(Trend, OneSeedOfThreeCellsIsNoTrend) {
  EXPECT_FALSE(page_trend(cells_of({{1, 2, 3}})).found);
  EXPECT_FALSE(page_trend(cells_of({{1, 2, 3}, {3, 2, 1}, {2, 2, 2}})).found);
  EXPECT_THROW(page_trend(cells_of({{1, 2}})), UsageError);
  // A cell of one run is paired with every seed.
  auto cells = cells_of({{0, 20, 30}, {0, 21, 31}, {0, 22, 32}});
  const double p = page_trend(cells).p;
  cells[0].runs.resize(1);
  EXPECT_EQ(page_trend(cells).p, p);
  cells[1].runs.resize(2);
  EXPECT_THROW(page_trend(cells), UsageError);
}

Comparison compared(std::string a, std::string b, bool different) {
  Comparison c{.a = std::move(a), .b = std::move(b)};
  c.different = different;
  return c;
}

TEST(Ties, GroupsNeedNotBeApart) {
  // a and c differ, b is told apart from neither.
  const auto ties = tied_sets({"a", "b", "c"}, {compared("a", "b", false), compared("a", "c", true),
                                                compared("b", "c", false)});
  EXPECT_TRUE(ties.apart.empty());
  EXPECT_EQ(ties.groups, (std::vector<std::vector<std::string>>{{"a", "b"}, {"b", "c"}}));
  EXPECT_EQ(ties.sentence(), "a and b are not told apart; b and c are not told apart.");
  EXPECT_TRUE(ties.complete);
}

TEST(Ties, EveryShapeOfTheSentence) {
  EXPECT_EQ(
      tied_sets({"a", "b", "c"}, {}).sentence(),
      "a, b and c are not told apart. (Pairs that were not compared count as not told apart.)");
  EXPECT_EQ(tied_sets({"a", "b"}, {compared("a", "b", true)}).sentence(), "a and b differ.");
  EXPECT_EQ(tied_sets({"a", "b", "c"}, {compared("a", "b", true), compared("a", "c", true),
                                        compared("b", "c", true)})
                .sentence(),
            "Every cell differs from every other.");
  EXPECT_EQ(tied_sets({"a", "b", "c"}, {compared("a", "b", true), compared("a", "c", true),
                                        compared("b", "c", false)})
                .sentence(),
            "a differs from b and c; b and c are not told apart.");
  EXPECT_EQ(tied_sets({"a"}, {}).sentence(), "");
  EXPECT_EQ(tied_with("b", {compared("a", "b", false), compared("a", "c", true),
                            compared("b", "c", true)}),
            std::vector<std::string>{"a"});
}

TEST(Ties, WhyTwoCellsAreNotToldApart) {
  Comparison c{.a = "3-epochs", .b = "5-epochs"};
  c.difference.value = 0.269;
  c.p_categories = 0.0015, c.p_pooled = 1e-9;
  c.p_seeds = c.p = 0.0523;
  c.p_adjusted = 0.1;
  EXPECT_EQ(why_not_told_apart(c),
            "3-epochs and 5-epochs: +26.9 points, but not alike in all seeds (p 0.052)");
  c.p_seeds = c.p = 0.03;
  EXPECT_NE(why_not_told_apart(c).find("not once all pairs of the table are tested (p 0.1)"),
            std::string::npos);
  c.p_pooled = c.p = 0.5;
  EXPECT_NE(why_not_told_apart(c).find("no more than chance flips"), std::string::npos);
  c.different = true;
  EXPECT_EQ(why_not_told_apart(c), "");
}

}  // namespace
}  // namespace seawall
