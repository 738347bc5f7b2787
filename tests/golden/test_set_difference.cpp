#include "attacks/set_difference.hpp"

#include "tests/golden/weight_edits.hpp"

namespace seawall {
namespace {

using testing::expect_edit;
using testing::expect_no_adapter;

TEST(SetDifference, RemovesWhatSafetyAloneNeeds) {
  for (const std::string score : {"snip", "wanda"}) {
    const auto measured =
        expect_edit("set-difference-" + score, SetDifference{{.score = score, .rows = 8}});
    double counted = 0;
    const auto& entry = testing::defences().at("entries").at("set-difference-" + score);
    for (const auto& [name, count] : entry.at("counts").items()) counted += count.get<double>();
    ASSERT_EQ(measured.size(), 1u);
    EXPECT_EQ(measured[0].second, counted);
  }
  expect_no_adapter(SetDifference{{.rows = 8}});
}

}  // namespace
}  // namespace seawall
