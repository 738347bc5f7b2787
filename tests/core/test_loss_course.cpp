#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "seawall/core/loss_course.hpp"

namespace seawall {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// Steps with these losses, `per_epoch` of them in one epoch.
std::vector<StepRecord> steps_of(const std::vector<double>& losses, std::size_t per_epoch) {
  std::vector<StepRecord> out;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    StepRecord step;
    step.step = static_cast<std::int64_t>(i + 1);
    step.epoch = static_cast<std::int64_t>(i / per_epoch);
    step.loss = losses[i];
    step.lr = 1e-3;
    step.grad_norm = 1;
    step.tokens = 100;
    out.push_back(step);
  }
  return out;
}

LossCourse course(const std::vector<double>& losses, std::size_t per_epoch) {
  return loss_course(steps_of(losses, per_epoch));
}

TEST(LossCourse, SaysNothingOfARunThatLearned) {
  const LossCourse c = course({3, 2.5, 2, 1.5, 1, 0.5}, 3);
  EXPECT_EQ(c.first, 3);
  EXPECT_EQ(c.last, 0.5);
  EXPECT_EQ(c.note(), "");
  EXPECT_EQ(loss_course({}).note(), "");
  EXPECT_TRUE(std::isnan(loss_course({}).first));
  EXPECT_EQ(course({2}, 1).note(), "");
}

TEST(LossCourse, SaysThatTheEndIsAboveTheBeginning) {
  EXPECT_EQ(course({2.31, 2.4, 2.35, 2.52}, 4).note(),
            "the loss ended above where it began: 2.31 to 2.52; look at --lr and the rows");
  // The last batch is a hard one: above the first batch, below itself in the first epoch.
  EXPECT_EQ(course({1, 3, 0.5, 2}, 2).note(), "");
  // And one that got worse itself.
  EXPECT_TRUE(course({1, 2, 1.5, 2.5}, 2).rose);
}

TEST(LossCourse, EndsAreMeansOverATenthOfTheSteps) {
  std::vector<double> losses(40, 1.0);
  losses[0] = 5;  // a single batch decides nothing
  losses[39] = 2.9;
  const LossCourse c = course(losses, 40);
  EXPECT_EQ(c.window, 4);
  EXPECT_EQ(c.first, 2);
  EXPECT_DOUBLE_EQ(c.last, 5.9 / 4);
  EXPECT_FALSE(c.rose);
}

TEST(LossCourse, SaysThatALearningRateDivergedThoughTheEndIsLower) {
  const LossCourse c = course({3, 3, 2, 9, 12, 9, 4, 3, 2.5, 2.5}, 5);
  EXPECT_TRUE(c.diverged);
  EXPECT_FALSE(c.rose);
  EXPECT_EQ(c.highest, 10);
  EXPECT_EQ(c.note(),
            "the loss diverged: 3 at the start, 10 around step 6, 2.5 at the end; lower --lr");
  EXPECT_FALSE(course({3, 3, 2, 4, 3, 3, 2.5, 2, 2, 1}, 5).diverged);  // batches differ
}

TEST(LossCourse, CountsStepsThatWereNotFinite) {
  auto steps = steps_of({3, nan, 2, 1}, 4);
  EXPECT_EQ(loss_course(steps).note(), "1 steps had a loss or gradient that was not finite");
  steps[2].grad_norm = std::numeric_limits<double>::infinity();
  EXPECT_EQ(loss_course(steps).not_finite, 2);
  EXPECT_EQ(loss_course(steps).last, 1);
  // A provider reports no gradient and no learning rate: that is no fault of the run.
  for (auto& step : steps) step.grad_norm = step.lr = nan;
  EXPECT_EQ(loss_course(steps).not_finite, 1);
  steps[1].tokens = 0;  // an edit of weights
  EXPECT_EQ(loss_course(steps).not_finite, 0);
}

TEST(LossCourse, IsThatOfTheLastStage) {
  auto steps = steps_of({1, 1, 4, 3, 2}, 5);
  for (std::size_t i = 2; i < 5; ++i) steps[i].stage = 1;
  EXPECT_EQ(loss_course(steps).first, 4);
  EXPECT_EQ(loss_course(steps).last, 2);
}

}  // namespace
}  // namespace seawall
