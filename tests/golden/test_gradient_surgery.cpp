#include "mitigations/gradient_surgery.hpp"

#include "tests/golden/defences.hpp"
#include "tests/support/fake_params.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(GradientSurgery, IsTheFiles) {
  DefenceRun run("gradient-surgery");
  run.go(GradientSurgery{{.rows = 8, .batch = 4}}).expect_entry();
  for (std::size_t i = 0; i < 2; ++i) {  // a conflict in the second step alone
    const double along = run.entry().at("steps").at(i).at("along");
    EXPECT_NEAR(run.measured(i, "gradient-surgery/along"), along, 1e-4 * std::abs(along));
  }
}

TEST(GradientSurgery, WhatIsLeftIsAtRightAnglesToSafety) {
  testing::FakeParams params;
  params.add("a", {0, 0}, {0, 0});
  params.add("b", {0}, {0});
  const Tensors s{at::tensor({3.0f, 0.0f}), at::tensor({4.0f})};
  const auto gradient = [&](float x, float y, float z) {
    params[0].value.mutable_grad() = at::tensor({x, y});
    params[1].value.mutable_grad() = at::tensor({z});
    return remove_conflict(params.params(), s);
  };
  EXPECT_EQ(gradient(-2, 5, 1), -2);  // <g, s>/||s||^2 = -2/25
  EXPECT_FLOAT_EQ(testing::floats(params[0].value.grad())[0], -2 + 0.24f);
  EXPECT_FLOAT_EQ(testing::floats(params[0].value.grad())[1], 5);
  EXPECT_FLOAT_EQ(testing::floats(params[1].value.grad())[0], 1 + 0.32f);
  EXPECT_EQ(gradient(2, 5, 1), 10);  // no conflict: as it was
  EXPECT_EQ(testing::floats(params[0].value.grad()), (std::vector<float>{2, 5}));
}

}  // namespace
}  // namespace seawall
