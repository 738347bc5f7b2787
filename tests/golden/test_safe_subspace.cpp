#include "mitigations/safe_subspace.hpp"

#include <ATen/ops/ones.h>

#include "tests/golden/defences.hpp"

namespace seawall {
namespace {

using testing::DefenceRun;

TEST(SafeSubspace, IsTheFiles) {
  DefenceRun run("safe-subspace");
  run.go(SafeSubspace{{.rank = 4, .rows = 4, .refresh = 0}}).expect_entry();
  for (std::size_t i = 0; i < 2; ++i) {
    const double removed = run.entry().at("steps").at(i).at("removed");
    EXPECT_NEAR(run.measured(i, "safe-subspace/removed"), removed, 1e-4 * removed);
  }
}

TEST(SafeSubspace, DirectionsAreTheLargest) {
  // Columns along three axes with lengths 1, 3 and 2, and one that is twice there.
  Tensor x = at::zeros({5, 4});
  x[0][0] = 1, x[2][1] = 3, x[4][2] = 2, x[4][3] = 2;
  const Tensor u = top_directions(x, 2);
  ASSERT_EQ(u.sizes(), (std::vector<std::int64_t>{5, 2}));
  EXPECT_NEAR(u[2][0].abs().item<double>(), 1, 1e-6);
  EXPECT_NEAR(u[4][1].abs().item<double>(), 1, 1e-6);
  EXPECT_NEAR(outside(at::ones({5}), u).norm().item<double>(), std::sqrt(3), 1e-6);
}

TEST(SafeSubspace, RefreshTakesTheWeightsOfNow) {
  DefenceRun kept("safe-subspace"), renewed("safe-subspace");
  kept.go(SafeSubspace{{.rank = 8, .rows = 8, .refresh = 0}});
  renewed.go(SafeSubspace{{.rank = 8, .rows = 8, .refresh = 1}});
  EXPECT_EQ(kept.sink.steps[0].grad_norm, renewed.sink.steps[0].grad_norm);
  EXPECT_NE(kept.sink.steps[1].grad_norm, renewed.sink.steps[1].grad_norm);
}

}  // namespace
}  // namespace seawall
