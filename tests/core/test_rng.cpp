#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/core/rng.hpp"

namespace seawall {
namespace {

/// The first words of xoshiro256** when its state is the first four words of SplitMix64(seed), as
/// in the authors' C files.
TEST(Rng, GivesTheBitsOfTheReferenceImplementation) {
  Rng zero(0);
  EXPECT_EQ(zero.state()[0], 0xe220a8397b1dcdaf);  // SplitMix64's published first output for seed 0
  EXPECT_EQ(zero.next(), 0x99ec5f36cb75f2b4);
  // From the state {1, 2, 3, 4}, the published test vector.
  Rng counted(0);
  counted.set_state({1, 2, 3, 4});
  EXPECT_EQ(counted.next(), 11520u);
  EXPECT_EQ(counted.next(), 0u);
  EXPECT_EQ(counted.next(), 1509978240u);
  EXPECT_EQ(counted.next(), 1215971899390074240u);
}

TEST(Rng, StreamsDependOnSeedAndNameButNotOnWhatWasDrawn) {
  Rng rng(7);
  const auto before = rng.stream("data").next();
  for (int i = 0; i < 100; ++i) rng.next();
  EXPECT_EQ(rng.stream("data").next(), before);
  std::set<std::uint64_t> firsts;
  for (const std::uint64_t seed : {0, 1, 2, 3}) {
    for (const char* name : {"", "data", "dato", "sampling"}) {
      firsts.insert(Rng(seed).stream(name).next());
    }
  }
  EXPECT_EQ(firsts.size(), 16u);
}

TEST(Rng, AStreamOfAStreamDiffersFromBoth) {
  const Rng rng(7);
  const auto a = rng.stream("a").stream("b").next();
  EXPECT_NE(a, rng.stream("b").next());
  EXPECT_NE(a, rng.stream("b").stream("a").next());
}

TEST(Rng, TheStateAloneResumesTheSequence) {
  Rng rng(3);
  rng.normal();
  Rng other(99);
  other.set_state(rng.state());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(other.normal(), rng.normal());
}

TEST(Rng, BelowIsUniformAndWithinBounds) {
  Rng rng(11);
  std::array<int, 6> seen{};
  constexpr int draws = 60000;
  for (int i = 0; i < draws; ++i) ++seen.at(rng.below(6));
  // 5 standard deviations of a binomial count with p = 1/6: 5 * sqrt(60000 * 5 / 36) = 456.
  for (const int n : seen) EXPECT_NEAR(n, draws / 6, 456);
  EXPECT_EQ(rng.below(1), 0u);
  EXPECT_THROW(rng.below(0), UsageError);
}

TEST(Rng, BelowIsUnbiasedWhereTheRangeDoesNotDivideTheWord) {
  // With n = 3 * 2^62, plain multiplication or remainder would give the lowest third of the values
  // twice as often: 50 % below n / 2 becomes 58 to 67 %.
  Rng rng(5);
  constexpr std::uint64_t n = std::uint64_t{3} << 62;
  int first_third = 0;
  for (int i = 0; i < 30000; ++i) first_third += rng.below(n) % 3 == 0;
  EXPECT_NEAR(first_third, 10000, 5 * std::sqrt(30000.0 * 2 / 9));
}

TEST(Rng, UniformAndNormalHaveTheirMoments) {
  Rng rng(13);
  constexpr int draws = 100000;
  double sum = 0, squares = 0, uniform = 0;
  for (int i = 0; i < draws; ++i) {
    const double u = rng.uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    uniform += u;
    const double x = rng.normal();
    ASSERT_TRUE(std::isfinite(x));
    sum += x;
    squares += x * x;
  }
  // 5 standard errors: 5 / sqrt(draws) times the standard deviation of u, x and x * x.
  EXPECT_NEAR(uniform / draws, 0.5, 5 * 0.2887 / std::sqrt(draws));
  EXPECT_NEAR(sum / draws, 0, 5 / std::sqrt(draws));
  EXPECT_NEAR(squares / draws, 1, 5 * std::sqrt(2.0 / draws));
}

TEST(Rng, ShuffleIsAPermutationThatTheSeedDecides) {
  std::vector<int> a(50), b;
  std::iota(a.begin(), a.end(), 0);
  b = a;
  const auto sorted = a;
  Rng(1).shuffle(a);
  Rng(1).shuffle(b);
  EXPECT_EQ(a, b);
  EXPECT_NE(a, sorted);
  Rng(2).shuffle(b);
  EXPECT_NE(a, b);
  std::ranges::sort(a);
  EXPECT_EQ(a, sorted);
}

TEST(Rng, SampleGivesDistinctIndicesAndReachesEveryOne) {
  Rng rng(17);
  std::array<int, 5> seen{};
  for (int i = 0; i < 1000; ++i) {
    const auto drawn = rng.sample(5, 2);
    ASSERT_EQ(drawn.size(), 2u);
    ASSERT_NE(drawn[0], drawn[1]);
    for (const auto index : drawn) ++seen.at(index);
  }
  for (const int n : seen) EXPECT_NEAR(n, 400, 5 * std::sqrt(1000 * 0.4 * 0.6));
  EXPECT_EQ(rng.sample(4, 4).size(), 4u);
  EXPECT_TRUE(rng.sample(4, 0).empty());
  EXPECT_THROW(rng.sample(4, 5), UsageError);
}

}  // namespace
}  // namespace seawall
