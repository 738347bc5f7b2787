#include <set>

#include "seawall/core/error.hpp"
#include "tests/train/fixtures.hpp"

namespace seawall {
namespace {

using testing::tiny_rows;

/// A row whose tokens say which it is: id `mark` stands at place 1.
std::vector<Sequence> marked_rows(std::size_t count) {
  std::vector<Sequence> rows;
  for (std::size_t i = 0; i < count; ++i)
    rows.push_back({{1, static_cast<std::int32_t>(i + 2), 3, 4}, {0, 0, 0, 1}});
  return rows;
}

/// Marks of a batch's rows; without shared prefixes rows stand one after the other.
std::multiset<std::int64_t> marks(const StepBatch& batch) {
  std::multiset<std::int64_t> out;
  for (const auto& micro : batch.micro)
    for (const Segment& segment : micro->plan.segments)
      out.insert(micro->plan.ids[segment.begin + 1].item<std::int64_t>());
  return out;
}

DataOptions plain(std::int64_t batch, std::int64_t epochs, RowOrder order = RowOrder::as_given) {
  return {
      .batch_size = batch, .epochs = epochs, .order = order, .share_prefixes = false, .seed = 11};
}

TEST(FixedRows, AsGivenKeepsTheOrderEveryEpoch) {
  FixedRows rows(marked_rows(6), plain(3, 2), at::kCPU);
  EXPECT_EQ(rows.steps(), 4);
  EXPECT_EQ(marks(rows.batch(0)), (std::multiset<std::int64_t>{2, 3, 4}));
  EXPECT_EQ(marks(rows.batch(1)), (std::multiset<std::int64_t>{5, 6, 7}));
  EXPECT_EQ(marks(rows.batch(2)), marks(rows.batch(0)));
  EXPECT_EQ(rows.batch(3).epoch, 1);
  EXPECT_EQ(rows.batch(3).index, 1);
}

TEST(FixedRows, ShuffledDrawsOneOrderFromTheSeed) {
  FixedRows a(marked_rows(40), plain(4, 3, RowOrder::shuffled), at::kCPU),
      b(marked_rows(40), plain(4, 3, RowOrder::shuffled), at::kCPU);
  EXPECT_EQ(a.order(0), b.order(2));
  auto other = plain(4, 3, RowOrder::shuffled);
  other.seed = 12;
  EXPECT_NE(a.order(0), FixedRows(marked_rows(40), other, at::kCPU).order(0));
  EXPECT_EQ(marks(a.batch(3)), marks(b.batch(13)));
}

TEST(FixedRows, ReshuffledDrawsAnOrderAnEpochAndSeesEveryRow) {
  FixedRows rows(marked_rows(20), plain(4, 2, RowOrder::reshuffled), at::kCPU);
  EXPECT_NE(rows.order(0), rows.order(1));
  for (const std::int64_t epoch : {0, 1}) {
    std::multiset<std::int64_t> seen;
    for (std::int64_t i = 0; i < 5; ++i) seen.merge(marks(rows.batch(epoch * 5 + i)));
    EXPECT_EQ(seen.size(), 20u);
    EXPECT_EQ((std::set<std::int64_t>(seen.begin(), seen.end()).size()), 20u);
  }
}

TEST(FixedRows, TheLastShortBatchIsDroppedButASmallSetIsOneBatch) {
  FixedRows rows(marked_rows(11), plain(4, 2), at::kCPU);
  EXPECT_EQ(rows.steps(), 4);
  EXPECT_EQ(rows.report().dropped, 3);
  EXPECT_EQ(rows.rows_seen(rows.steps()), 8);  // the three are never trained on
  EXPECT_EQ(rows.rows_seen(1), 4);
  EXPECT_EQ(rows.rows_seen(0), 0);
  auto reshuffled = plain(4, 20);
  reshuffled.order = RowOrder::reshuffled;
  FixedRows fair(marked_rows(11), reshuffled, at::kCPU);
  EXPECT_EQ(fair.rows_seen(2), 8);
  EXPECT_EQ(fair.rows_seen(fair.steps()), 11);  // another three are dropped in each epoch
  FixedRows small(marked_rows(3), plain(10, 5), at::kCPU);
  EXPECT_EQ(small.steps(), 5);
  EXPECT_EQ(small.report().batch_size, 3);
  EXPECT_EQ(small.report().dropped, 0);
  EXPECT_EQ(marks(small.batch(4)).size(), 3u);
}

TEST(FixedRows, StepsOverrideEpochs) {
  auto options = plain(3, 1);
  options.steps = 7;
  FixedRows rows(marked_rows(6), options, at::kCPU);
  EXPECT_EQ(rows.steps(), 7);
  EXPECT_EQ(rows.batch(6).epoch, 3);
}

TEST(FixedRows, CutsCountsAndLeavesOutWhatLostItsAnswer) {
  auto rows = marked_rows(4);
  rows[1].ids.insert(rows[1].ids.end(), {9, 9, 9});  // targets 3, 4, 5, 6: the first stays
  rows[1].loss.insert(rows[1].loss.end(), {1, 1, 1});
  rows[2] = {{1, 2, 3, 4, 5, 6}, {0, 0, 0, 0, 1, 1}};  // the answer starts behind the cut
  auto options = plain(3, 1);
  options.max_tokens = 4;
  FixedRows source(std::move(rows), options, at::kCPU);
  const DataReport& report = source.report();
  EXPECT_EQ(report.given, 4);
  EXPECT_EQ(report.used, 3);
  EXPECT_EQ(report.truncated, 2);
  EXPECT_EQ(report.left_out, 1);
  EXPECT_EQ(report.first_left_out, "row 2: 4 of 6 tokens kept, none of them a target");
  EXPECT_EQ(report.epoch_tokens, 12);
  EXPECT_EQ(report.epoch_targets, 3);
  EXPECT_EQ(source.batch(0).targets, 3);
}

TEST(FixedRows, NothingToTrainOnIsAnError) {
  auto options = plain(2, 1);
  options.max_tokens = 2;
  try {
    FixedRows(marked_rows(3), options, at::kCPU);
    FAIL();
  } catch (const DataError& error) {
    EXPECT_STREQ(error.what(),
                 "training rows: want at least one with an answer, got 3 rows, all left out (row "
                 "0: 2 of 4 tokens kept, none of "
                 "them a target); raise --max-tokens");
  }
  EXPECT_THROW(FixedRows({}, plain(2, 1), at::kCPU), DataError);
  EXPECT_THROW(FixedRows(marked_rows(3), plain(0, 1), at::kCPU), UsageError);
  EXPECT_THROW(FixedRows({{{1, 2}, {1}}}, plain(1, 1), at::kCPU), UsageError);
}

TEST(FixedRows, MicroBatchesHoldTheRowsOfTheStep) {
  auto options = plain(10, 1);
  options.micro_batch_size = 4;
  FixedRows rows(marked_rows(10), options, at::kCPU);
  const StepBatch batch = rows.batch(0);
  ASSERT_EQ(batch.micro.size(), 3u);
  EXPECT_EQ(batch.micro[2]->plan.rows, 2);
  EXPECT_EQ(batch.targets, 10);
  EXPECT_EQ(marks(batch).size(), 10u);
}

TEST(FixedRows, PlansOfAFixedOrderAreMadeOnce) {
  FixedRows rows(marked_rows(6), plain(3, 3), at::kCPU);
  const auto first = rows.batch(0).micro[0];
  EXPECT_EQ(rows.batch(2).micro[0], first);
  EXPECT_EQ(rows.batch(4).micro[0], first);
  EXPECT_NE(rows.batch(1).micro[0], first);
}

TEST(FixedRows, TokensCountWhatTheExamplesHoldWhateverIsShared) {
  auto shared = plain(12, 1), apart = plain(12, 1);
  shared.share_prefixes = true;
  FixedRows a(tiny_rows(12), shared, at::kCPU), b(tiny_rows(12), apart, at::kCPU);
  std::int64_t held = 0;
  for (const auto& row : tiny_rows(12)) held += static_cast<std::int64_t>(row.ids.size());
  EXPECT_EQ(a.batch(0).tokens, held);
  EXPECT_EQ(b.batch(0).tokens, held);
  EXPECT_LT(a.batch(0).micro[0]->plan.tokens, held);
  EXPECT_EQ(b.batch(0).micro[0]->plan.tokens, held);
}

TEST(FixedRows, OfSeveralProcessesEachPlansItsOwnAndCountsAll) {
  // Batches of 10 rows. Four processes: 3, 3, 3 and 1; six: nobody may go without, so 1 each.
  for (const auto& [ranks, micro] : {std::pair{4, 4u}, {6, 10u}}) {
    FixedRows alone(marked_rows(10), plain(10, 1), at::kCPU);
    std::multiset<std::int64_t> seen;
    for (int rank = 0; rank < ranks; ++rank) {
      DataOptions options = plain(10, 1);
      options.rank = rank;
      options.ranks = ranks;
      FixedRows source(marked_rows(10), options, at::kCPU);
      const StepBatch batch = source.batch(0);
      ASSERT_EQ(batch.micro.size(), micro);
      EXPECT_EQ(batch.targets, alone.batch(0).targets);
      EXPECT_EQ(batch.tokens, alone.batch(0).tokens);
      for (std::size_t i = 0; i < batch.micro.size(); ++i) {
        const bool planned = !batch.micro[i]->plan.segments.empty();
        EXPECT_EQ(planned, static_cast<int>(i) % ranks == rank);
        EXPECT_GT(batch.micro[i]->targets, 0);
      }
      seen.merge(marks(batch));
    }
    EXPECT_EQ(seen, marks(alone.batch(0)));
  }
}

TEST(GeneratedRows, GiveTheSameBatchForTheSameStep) {
  const auto make = [](std::int64_t step) {
    return tiny_rows(4, 100 + static_cast<std::uint64_t>(step));
  };
  GeneratedRows source(make, 10, 5, {.share_prefixes = false}, at::kCPU);
  EXPECT_EQ(source.steps(), 10);
  EXPECT_EQ(source.steps_per_epoch(), 5);
  EXPECT_TRUE(
      testing::same_bits(source.batch(7).micro[0]->plan.ids, source.batch(7).micro[0]->plan.ids));
  EXPECT_FALSE(source.batch(7).micro[0]->plan.ids.equal(source.batch(8).micro[0]->plan.ids));
  EXPECT_EQ(source.batch(7).epoch, 1);
  GeneratedRows empty([](std::int64_t) { return std::vector<Sequence>{}; }, 3, 0, {}, at::kCPU);
  EXPECT_THROW(empty.batch(0), DataError);
}

TEST(GeneratedRows, ARowOfTargetsAloneLosesTheFirstWhichNothingPredicts) {
  GeneratedRows source(
      [](std::int64_t) {
        return std::vector<Sequence>{{{5, 6, 7}, {1, 1, 1}}};
      },
      1, 0, {}, at::kCPU);
  EXPECT_EQ(source.batch(0).targets, 2);
}

}  // namespace
}  // namespace seawall
