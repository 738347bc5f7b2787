#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/core/rng.hpp"

namespace seawall {
namespace {

TEST(Rng, GivesTheBitsOfTheReferenceImplementation) {
  Rng rng(0);
  EXPECT_EQ(rng.next(), 0x99ec5f36cb75f2b4);
}

}  // namespace
}  // namespace seawall
