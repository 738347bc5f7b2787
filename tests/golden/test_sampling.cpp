// Temperature and top-p as transformers applies them: made by data/golden/make_sampling.py.
#include <cmath>
#include <limits>

#include "seawall/model/decoding.hpp"
#include "tests/golden/golden.hpp"

namespace seawall {
namespace {

using testing::golden_json;

TEST(SamplingGolden, WarpLeavesTheProbabilitiesOfTransformers) {
  std::size_t cases = 0, left_out = 0;
  for (const auto& each : golden_json("sampling.json")) {
    SCOPED_TRACE(++cases);
    std::vector<float> scores;
    for (const auto& score : each.at("scores"))
      scores.push_back(score.is_null() ? -std::numeric_limits<float>::infinity()
                                       : score.get<float>());
    warp(each.at("temperature"), each.at("top_p"), scores);
    double total = 0;
    for (const float score : scores) total += std::exp(static_cast<double>(score));
    const auto& want = each.at("probabilities");
    ASSERT_EQ(want.size(), scores.size());
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const double p = want[i];
      // fp32 in transformers, and nine decimals in the file.
      EXPECT_NEAR(std::exp(static_cast<double>(scores[i])) / total, p, 2e-6 * p + 1e-9) << i;
      // A token that top-p leaves out has no probability at all, whatever it is rounded to.
      EXPECT_FALSE(p > 0 && std::isinf(scores[i])) << i;
      EXPECT_FALSE(p == 0 && !std::isinf(scores[i]) && each.at("top_p").get<double>() < 1) << i;
      left_out += std::isinf(scores[i]);
    }
  }
  EXPECT_EQ(cases, 15u);
  EXPECT_GT(left_out, 200u);
}

}  // namespace
}  // namespace seawall
