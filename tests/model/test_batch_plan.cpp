#include "seawall/model/batch_plan.hpp"

#include <gtest/gtest.h>

#include "seawall/core/error.hpp"
#include "support.hpp"

namespace seawall {
namespace {

using Ids = std::vector<std::int32_t>;

std::vector<std::int32_t> read_back(const BatchPlan& plan, std::int64_t row) {
  Ids out;
  for (auto s = plan.leaf_of[row]; s >= 0; s = plan.segments[s].parent) {
    Ids part;
    for (std::int64_t t = 0; t < plan.segments[s].length; ++t)
      part.push_back(
          static_cast<std::int32_t>(plan.ids[plan.segments[s].begin + t].item<std::int64_t>()));
    out.insert(out.begin(), part.begin(), part.end());
  }
  return out;
}

TEST(BatchPlan, SharesAPrefixOnce) {
  const auto plan =
      plan_batch({{{1, 2, 3, 4, 5, 6}, {}}, {{1, 2, 3, 4, 7}, {}}, {{9, 8}, {}}}, at::kCPU);
  EXPECT_EQ(plan.tokens, 4 + 2 + 1 + 2);
  EXPECT_EQ(plan.real_tokens, 13);
  EXPECT_EQ(plan.segments.size(), 4u);
  EXPECT_EQ(plan.segments[plan.leaf_of[0]].parent, plan.segments[plan.leaf_of[1]].parent);
}

TEST(BatchPlan, LeavesShortPrefixesAlone) {
  const std::vector<Sequence> rows = {{{1, 2, 3, 5}, {}}, {{1, 2, 3, 6}, {}}};
  EXPECT_EQ(plan_batch(rows, at::kCPU).tokens, 8);  // 3 shared tokens are fewer than min_shared
  EXPECT_EQ(plan_batch(rows, at::kCPU, {.min_shared = 3}).tokens, 5);
  EXPECT_EQ(plan_batch(rows, at::kCPU, {.share_prefixes = false}).tokens, 8);
}

TEST(BatchPlan, FindsDeepGroupsUnderShortPrefixes) {
  // All share two tokens (too few); the first two share six.
  const auto plan = plan_batch(
      {{{1, 2, 3, 4, 5, 6, 7}, {}}, {{1, 2, 3, 4, 5, 6, 8}, {}}, {{1, 2, 9, 9}, {}}}, at::kCPU);
  EXPECT_EQ(plan.tokens, 6 + 1 + 1 + 4);
}

TEST(BatchPlan, IdenticalRowsAndRowsThatArePrefixes) {
  const Ids row = {1, 2, 3, 4, 5};
  const auto plan = plan_batch({{row, {}}, {row, {}}, {{1, 2, 3, 4, 5, 6}, {}}}, at::kCPU);
  EXPECT_EQ(plan.tokens, 6);
  EXPECT_EQ(plan.leaf_of[0], plan.leaf_of[1]);
  EXPECT_EQ(plan.segments[plan.leaf_of[2]].parent, plan.leaf_of[0]);
  EXPECT_EQ(plan.last_token[0].item<std::int64_t>(), 4);
  EXPECT_EQ(plan.last_token[2].item<std::int64_t>(), 5);
}

TEST(BatchPlan, TargetsKnowRowAndPlace) {
  const auto plan = plan_batch(
      {{{1, 2, 3, 4, 5}, {0, 0, 0, 1, 1}}, {{1, 2, 3, 4, 6}, {0, 0, 0, 0, 1}}}, at::kCPU);
  ASSERT_EQ(plan.targets.size(0), 3);
  EXPECT_EQ(plan.source_tokens[1].item<std::int64_t>(),
            3);  // both rows predict from the shared fourth token
  EXPECT_EQ(plan.source_tokens[2].item<std::int64_t>(), 3);
  EXPECT_EQ(plan.targets[2].item<std::int64_t>(), 6);
  EXPECT_EQ(plan.target_row[2].item<std::int64_t>(), 1);
  EXPECT_EQ(plan.target_place[1].item<std::int64_t>(), 1);
}

TEST(BatchPlan, EveryAnswerOfARowIsATargetAlsoInASharedPrefix) {
  const auto plan = plan_batch({{{1, 2, 3, 4, 5, 6, 7}, {0, 1, 1, 0, 0, 1, 1}},
                                {{1, 2, 3, 4, 5, 8, 9}, {0, 0, 0, 0, 0, 1, 1}}},
                               at::kCPU);
  EXPECT_EQ(plan.tokens, 5 + 2 + 2);
  const auto values = [](const Tensor& t) {
    return std::vector<std::int64_t>(t.data_ptr<std::int64_t>(),
                                     t.data_ptr<std::int64_t>() + t.numel());
  };
  EXPECT_EQ(values(plan.targets), (std::vector<std::int64_t>{2, 3, 6, 7, 8, 9}));
  EXPECT_EQ(values(plan.source_tokens), (std::vector<std::int64_t>{0, 1, 4, 5, 4, 7}));
  EXPECT_EQ(values(plan.target_row), (std::vector<std::int64_t>{0, 0, 0, 0, 1, 1}));
  EXPECT_EQ(values(plan.target_place), (std::vector<std::int64_t>{0, 1, 0, 1, 0, 1}));
}

TEST(BatchPlan, RandomForestsHoldEveryRow) {
  std::mt19937 random(5);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<Sequence> rows;
    const int count = 1 + static_cast<int>(random() % 9);
    for (int r = 0; r < count; ++r) {
      Ids prefix;
      if (!rows.empty() && random() % 4) {
        const auto& other = rows[random() % rows.size()].ids;
        prefix.assign(other.begin(), other.begin() + random() % (other.size() + 1));
      }
      rows.push_back(
          testing::random_row(random, prefix, static_cast<int>(random() % 7) + prefix.empty(), 3));
    }
    const auto plan =
        plan_batch(rows, at::kCPU, {.min_shared = 1 + static_cast<std::int64_t>(random() % 5)});
    std::int64_t real = 0, end = 0;
    for (int r = 0; r < count; ++r) {
      EXPECT_EQ(read_back(plan, r), rows[r].ids);
      real += static_cast<std::int64_t>(rows[r].ids.size());
    }
    EXPECT_EQ(plan.real_tokens, real);
    EXPECT_LE(plan.tokens, real);
    for (std::size_t s = 0; s < plan.segments.size();
         ++s) {  // segments tile the flat tokens, parents first
      EXPECT_EQ(plan.segments[s].begin, end);
      EXPECT_LT(plan.segments[s].parent, static_cast<std::int64_t>(s));
      end += plan.segments[s].length;
    }
    EXPECT_EQ(end, plan.tokens);
  }
}

TEST(BatchPlan, ErrorsSayWhichRow) {
  auto message = [](const std::vector<Sequence>& rows) {
    try {
      plan_batch(rows, at::kCPU);
    } catch (const UsageError& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(message({}), "batch plan: want at least one row, got none");
  EXPECT_EQ(message({{{1}, {}}, {{}, {}}}), "batch plan: row 1: want at least one token, got none");
  EXPECT_EQ(message({{{1, 2}, {0}}}), "batch plan: row 0: want one loss flag a token (2), got 1");
  EXPECT_NE(message({{{1, 2}, {1, 0}}}).find("row 0: the first token cannot be a target"),
            std::string::npos);
}

}  // namespace
}  // namespace seawall
