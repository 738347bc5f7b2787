// One hash of a model's values, whatever holds them and however many threads count.
#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <cmath>

#include "pretrained/weights_hash.hpp"
#include "seawall/core/error.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

/// Three blocks of values, the last of them short, and a tensor of one value.
NamedTensors sample() {
  return {{"a", at::randn({2, (1 << 22) + 5}).to(at::kBFloat16)}, {"b", at::full({1}, 2.0)}};
}

TEST(WeightsHash, IsTheSameForEveryTypeAndNumberOfThreads) {
  const NamedTensors weights = sample();
  NamedTensors wide = weights;
  wide[0].tensor = wide[0].tensor.to(at::kFloat);
  const int threads = at::get_num_threads();
  const auto hash = hash_weights(weights);
  EXPECT_EQ(hash.size(), 64u);
  EXPECT_EQ(hash_weights(wide), hash);
  at::set_num_threads(3);
  EXPECT_EQ(hash_weights(weights), hash);
  EXPECT_EQ(hash_weights(wide), hash);
  at::set_num_threads(threads);
}

TEST(WeightsHash, SeesEveryValueNameAndShape) {
  const NamedTensors weights = sample();
  const auto hash = hash_weights(weights);
  for (const std::int64_t at : {0, 1 << 22, (1 << 23) + 9}) {
    NamedTensors other = weights;
    other[0].tensor = other[0].tensor.clone();
    other[0].tensor.view({-1})[at] += 1;
    EXPECT_NE(hash_weights(other), hash) << at;
  }
  NamedTensors swapped = weights;  // the first two blocks
  const Tensor flat = weights[0].tensor.view({-1});
  const std::int64_t block = 1 << 22;
  swapped[0].tensor = at::cat({flat.narrow(0, block, block), flat.narrow(0, 0, block),
                               flat.narrow(0, 2 * block, 10)})
                          .view({2, -1});
  EXPECT_NE(hash_weights(swapped), hash);
  NamedTensors renamed = weights, reshaped = weights;
  renamed[1].name = "c";
  EXPECT_NE(hash_weights(renamed), hash);
  reshaped[0].tensor = reshaped[0].tensor.view({-1});
  EXPECT_NE(hash_weights(reshaped), hash);
}

TEST(WeightsHash, AValueThatIsNotFiniteIsNamedWithItsTensor) {
  NamedTensors weights = sample();
  EXPECT_EQ(hash_finite_weights(weights, "m"), hash_weights(weights));
  for (const double value : {HUGE_VAL, -HUGE_VAL, std::nan("")}) {
    weights[1].tensor = at::full({1}, value);
    EXPECT_HAS(testing::message_of<DataError>([&] { hash_finite_weights(weights, "m"); }),
               "m: tensor b has 1 value that is not finite");
  }
}

}  // namespace
}  // namespace seawall
