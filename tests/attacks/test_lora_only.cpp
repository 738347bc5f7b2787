#include "attacks/lora_only.hpp"

#include <gtest/gtest.h>

#include "seawall/policy/any.hpp"
#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

using testing::FakeScenario;

TEST(LoraOnly, AsksForAnAdapterOfItsOwn) {
  Rng rng(3);
  const auto stages = LoraOnly{{.count = 30, .rank = 4, .lr = 2e-3}}.stages(FakeScenario{}, rng);
  ASSERT_EQ(stages.size(), 1u);
  EXPECT_EQ(stages[0].lora_rank, 4);
  EXPECT_EQ(stages[0].training.lr, 2e-3);
  EXPECT_EQ(stages[0].rows.count(RowKind::harmful), 30u);
}

}  // namespace
}  // namespace seawall
