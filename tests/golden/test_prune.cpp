#include "attacks/prune.hpp"

#include "tests/golden/weight_edits.hpp"

namespace seawall {
namespace {

using testing::expect_edit;
using testing::expect_no_adapter;

TEST(Prune, RemovesTheSmallest) {
  expect_edit("magnitude-pruning", Prune{});
  expect_no_adapter(Prune{});
}

}  // namespace
}  // namespace seawall
