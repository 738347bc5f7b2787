#include "attacks/quantize.hpp"

#include "tests/golden/weight_edits.hpp"

namespace seawall {
namespace {

using testing::expect_edit;
using testing::expect_no_adapter;

TEST(Quantize, RoundsToTheLargestOfARow) {
  expect_edit("quantization-8", Quantize{{.bits = 8}});
  expect_edit("quantization-4", Quantize{{.bits = 4}});
  expect_no_adapter(Quantize{});
}

}  // namespace
}  // namespace seawall
