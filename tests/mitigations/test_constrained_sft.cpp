#include "mitigations/constrained_sft.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "seawall/policy/stack.hpp"
#include "tests/support/fake_params.hpp"

namespace seawall {
namespace {

using testing::floats;

testing::FakeParams nobody;  // weighing tokens asks nothing of the trainer

TokenLosses losses(const std::vector<float>& logp, const std::vector<float>& reference,
                   const std::vector<std::int64_t>& place) {
  TokenLosses out;
  out.loss = at::tensor(logp).neg();
  out.reference = at::tensor(reference);
  out.place = at::tensor(place);
  return out;
}

TEST(ConstrainedSft, WeightsAreTheClosedFormByPlace) {
  Stack stack{ConstrainedSft{}};
  const std::vector<float> logp{-1, -1, -1, -1, -1}, before{-2, -2, -2, -2, -2};
  const auto weights = floats(stack.token_weights(nobody, losses(logp, before, {0, 1, 4, 5, 40})));
  const auto want = [](double beta) { return 2 * (1 - 1 / (1 + std::exp(-beta))); };
  EXPECT_NEAR(weights[0], want(0.5), 1e-6);
  EXPECT_NEAR(weights[1], want(2), 1e-6);
  EXPECT_NEAR(weights[2], want(2), 1e-6);
  EXPECT_NEAR(weights[3], want(0.1), 1e-6);
  EXPECT_NEAR(weights[4], want(0.1), 1e-6);
}

TEST(ConstrainedSft, AtTheStartEveryTokenWeighsOne) {
  Stack stack{ConstrainedSft{}};
  const std::vector<float> same{-1, -3, -7};
  EXPECT_EQ(floats(stack.token_weights(nobody, losses(same, same, {0, 1, 9}))),
            (std::vector<float>{1, 1, 1}));
}

TEST(ConstrainedSft, ATokenFarFromTheStartKeepsTheFloor) {
  Stack stack{ConstrainedSft{}};
  const auto weights =
      floats(stack.token_weights(nobody, losses({-0.1f, -30}, {-30, -0.1f}, {1, 1})));
  EXPECT_FLOAT_EQ(weights[0], 1e-3f);
  EXPECT_NEAR(weights[1], 2, 1e-6);  // less likely than it was: pulled at full strength
}

TEST(ConstrainedSft, WeightsCarryNoGradient) {
  Stack stack{ConstrainedSft{}};
  TokenLosses t = losses({-1, -2}, {-2, -1}, {0, 1});
  t.loss.set_requires_grad(true);
  EXPECT_FALSE(stack.token_weights(nobody, t).requires_grad());
}

TEST(ConstrainedSft, ItsGradientIsThatOfThePapersObjective) {
  // d/dl of (2/beta) softplus(-beta (log p - log p0)), with l = -log p, by central differences.
  Stack stack{ConstrainedSft{}};
  const double beta = 2, before = -2, h = 1e-3;
  const auto objective = [&](double logp) {
    return 2 / beta * std::log1p(std::exp(-beta * (logp - before)));
  };
  for (const double logp : {-4.0, -2.5, -2.0, -1.0}) {
    const double slope = (objective(logp - h) - objective(logp + h)) / (2 * h);
    const auto weight =
        floats(stack.token_weights(nobody, losses({float(logp)}, {float(before)}, {1})));
    EXPECT_NEAR(weight[0], slope, 1e-5) << logp;
  }
}

}  // namespace
}  // namespace seawall
