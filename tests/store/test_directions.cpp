#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>

#include <cmath>

#include "sample.hpp"
#include "seawall/store/hdf5.hpp"

namespace seawall {
namespace {

using namespace testing;

TEST(Directions, TheDirectionOfRefusalIsComparedWithTheStart) {
  const Folder folder;
  RunFile run(folder / "r.h5", sample_info());
  const auto put = [&run](std::int64_t step, ProbeSet set, double first, double second) {
    auto evaluation = sample_evaluation(step, "plain", set);
    evaluation.mean_residual = at::ones({5, 2, 4});
    evaluation.mean_residual.select(2, 0).add_(first);
    evaluation.mean_residual.select(2, 1).add_(second);
    run.on_evaluation(evaluation);
  };
  put(0, ProbeSet::harmfulness, 2, 0);
  put(0, ProbeSet::utility, 0, 0);
  put(1, ProbeSet::harmfulness, 2, 1);
  put(1, ProbeSet::utility, 0, -1);
  put(2, ProbeSet::harmfulness, 0, 0);  // as the ordinary ones: there is no direction
  put(2, ProbeSet::utility, 0, 0);
  put(3, ProbeSet::harmfulness, 2, 0);  // without ordinary ones
  run.publish(true);
  const h5::Reader reader(folder / "r.h5");
  EXPECT_EQ(reader.shape("refusal_cosine"), (std::vector<std::uint64_t>{4, 5, 2}));
  const auto cosine = reader.float32("refusal_cosine");
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_FLOAT_EQ(cosine[i], 1);
    EXPECT_NEAR(cosine[10 + i], std::sqrt(0.5), 1e-6);
    EXPECT_TRUE(std::isnan(cosine[20 + i]));
    EXPECT_TRUE(std::isnan(cosine[30 + i]));
  }
}

}  // namespace
}  // namespace seawall
