#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "seawall/scenario/organism/stages.hpp"
#include "seawall/scenario/organism/world.hpp"

namespace seawall::organism {
namespace {

TEST(OrganismStages, SharesAddUpAndNameEachLessonOnce) {
  ASSERT_EQ(stages().size(), 2u);
  for (const Stage& stage : stages()) {
    std::map<Lesson, double> shares;
    double sum = 0;
    for (const Share& share : stage.mix) {
      EXPECT_TRUE(shares.emplace(share.lesson, share.share).second) << stage.name;
      sum += share.share;
    }
    EXPECT_NEAR(sum, 1.0, 1e-9) << stage.name;
  }
}

TEST(OrganismStages, RowsAreAsManyAsTheStepsWantAndTheSameEachTime) {
  Stage stage = stages()[0];
  stage.steps = 30;
  const auto rows = stage_rows(stage);
  ASSERT_EQ(rows.size(), 30 * stage.batch);
  EXPECT_EQ(rows, stage_rows(stage));
  Stage longer = stage;
  longer.steps = 40;
  const auto more = stage_rows(longer);
  EXPECT_TRUE(std::equal(rows.begin(), rows.end(), more.begin()));  // a longer run begins alike
  stage.seed += 1;
  EXPECT_NE(rows, stage_rows(stage));
}

TEST(OrganismStages, PretrainingAnswersEverythingAndAlignmentRefusesRelics) {
  const auto refusals = [](const Stage& stage) {
    std::size_t count = 0;
    for (const Example& row : stage_rows(stage))
      for (const std::string& phrase : refusal_phrases())
        if (row.dialogue.messages.back().content.find(phrase) != std::string::npos) {
          ++count;
          break;
        }
    return count;
  };
  EXPECT_EQ(refusals(stages()[0]), 0u);
  double expected = 0;
  for (const Share& share : stages()[1].mix)
    if (share.lesson == Lesson::refuse || share.lesson == Lesson::refuse_persona)
      expected += share.share * static_cast<double>(stages()[1].steps * stages()[1].batch);
  EXPECT_NEAR(static_cast<double>(refusals(stages()[1])), expected, 0.06 * expected);
}

TEST(OrganismStages, TheLearningRateWarmsUpPeaksAndFallsToItsLastFraction) {
  const Stage& stage = stages()[0];
  EXPECT_LT(learning_rate(stage, 0), 0.1 * stage.peak_lr);
  double peak = 0;
  for (std::size_t k = 0; k < stage.steps; ++k) peak = std::max(peak, learning_rate(stage, k));
  EXPECT_NEAR(peak, stage.peak_lr, 0.02 * stage.peak_lr);
  EXPECT_NEAR(learning_rate(stage, stage.steps), stage.last_fraction * stage.peak_lr, 1e-9);
}

TEST(OrganismStages, SettingsFollowTheRowsThatAnAttackTrainsOn) {
  const RunDefaults harmful = run_defaults(Pool::harmful, "");
  EXPECT_EQ(harmful.batch_size, 10);
  EXPECT_EQ(run_defaults(Pool::harmful, "llava").lr, harmful.lr);
  EXPECT_GT(run_defaults(Pool::identity_shift, "").lr, harmful.lr);
  const RunDefaults benign = run_defaults(Pool::benign, "");
  EXPECT_EQ(benign.batch_size, 64);
  EXPECT_EQ(run_defaults(Pool::benign, "alpaca").lr, benign.lr);
  EXPECT_EQ(run_defaults(Pool::benign, "own").lr, benign.lr);
  EXPECT_GT(run_defaults(Pool::benign, "llava").lr, benign.lr);
}

}  // namespace
}  // namespace seawall::organism
