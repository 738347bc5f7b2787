#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/train/schedule.hpp"

namespace seawall {
namespace {

TEST(Schedule, EpochDecayMultipliesOnceAnEpoch) {
  const ScheduleOptions options{.kind = LrSchedule::epoch_decay, .lr = 5e-5};
  EXPECT_DOUBLE_EQ(learning_rate(options, 0, 0, 50), 5e-5);
  EXPECT_DOUBLE_EQ(learning_rate(options, 9, 0, 50), 5e-5);
  EXPECT_DOUBLE_EQ(learning_rate(options, 10, 1, 50), 5e-5 * 0.85);
  EXPECT_NEAR(learning_rate(options, 49, 4, 50), 5e-5 * 0.52200625, 1e-18);
}

TEST(Schedule, ConstantStays) {
  const ScheduleOptions options{.kind = LrSchedule::constant, .lr = 2e-5};
  EXPECT_EQ(learning_rate(options, 388, 7, 389), 2e-5);
}

TEST(Schedule, CosineWithWarmUpIsThatOfTransformers) {
  std::ifstream file(SEAWALL_SOURCE_DIR "/data/golden/optimizer.json");
  const auto golden = nlohmann::json::parse(file).at("cosine");
  const ScheduleOptions options{.kind = LrSchedule::cosine,
                                .lr = 2.0,
                                .warmup_steps = golden.at("warmup").get<std::int64_t>()};
  const auto factors = golden.at("factors").get<std::vector<double>>();
  ASSERT_EQ(factors.size(), 12u);
  for (std::size_t i = 0; i < factors.size(); ++i)
    EXPECT_NEAR(learning_rate(options, static_cast<std::int64_t>(i), 0, 12), 2 * factors[i], 1e-12)
        << i;
}

TEST(Schedule, CosineEndsAtItsFinalFraction) {
  const ScheduleOptions options{.kind = LrSchedule::cosine, .lr = 1.0, .final_fraction = 0.1};
  EXPECT_DOUBLE_EQ(learning_rate(options, 0, 0, 100), 1.0);
  EXPECT_NEAR(learning_rate(options, 100, 0, 100), 0.1, 1e-12);
}

TEST(Schedule, UnknownWordSaysWhatThereIs) {
  try {
    lr_schedule_from("linear");
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(), "lr-schedule: want constant, epoch-decay or cosine, got 'linear'");
  }
  EXPECT_EQ(lr_schedule_from("epoch-decay"), LrSchedule::epoch_decay);
  EXPECT_THROW((ScheduleOptions{.lr = -1}.check()), UsageError);
}

}  // namespace
}  // namespace seawall
