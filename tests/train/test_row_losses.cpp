#include <cmath>

#include "seawall/train/row_losses.hpp"
#include "tests/train/fixtures.hpp"

namespace seawall {
namespace {

using testing::tiny_decoder;
using testing::tiny_rows;

TEST(RowLosses, EachIsTheLossOfItsRowAlone) {
  const Decoder decoder = tiny_decoder();
  const auto rows = tiny_rows(150);  // more than go through at once
  const auto losses = mean_row_losses(decoder, rows, 0);
  ASSERT_EQ(losses.size(), rows.size());
  for (const std::size_t i : {std::size_t{0}, std::size_t{63}, std::size_t{64}, std::size_t{149}}) {
    const BatchPlan plan = plan_batch({rows[i]}, decoder.device());
    const at::NoGradGuard no_grad;
    EXPECT_NEAR(losses[i], decoder.loss(plan, LossMode::fused).item<double>(), 1e-5) << i;
  }
  EXPECT_NE(losses[0], losses[1]);
  EXPECT_FALSE(decoder.parameters().front().tensor.grad().defined());
}

TEST(RowLosses, RowsWithoutATargetHaveNone) {
  const Decoder decoder = tiny_decoder();
  auto rows = tiny_rows(3);
  const auto whole = mean_row_losses(decoder, rows, 0);
  rows[1].loss.assign(rows[1].loss.size(), 0);
  const auto losses = mean_row_losses(decoder, rows, 0);
  EXPECT_TRUE(std::isnan(losses[1]));
  EXPECT_NEAR(losses[2], whole[2], 1e-5);
  for (const double loss : mean_row_losses(decoder, tiny_rows(3), 4)) EXPECT_TRUE(std::isnan(loss));
}

}  // namespace
}  // namespace seawall
