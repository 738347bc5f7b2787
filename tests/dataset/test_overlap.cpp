#include <algorithm>

#include "rows.hpp"
#include "seawall/core/error.hpp"
#include "seawall/dataset/readers.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

using namespace testing;
using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST(Overlap, FoldsCaseWidthAndWhiteSpace) {
  const Dataset rows{
      "d", {example("r1", "Open  the\nGate "), example("r2", "ÉTÉ"), example("r3", "other")}};
  const auto overlap =
      find_overlap(rows, {probe("p1", "open the gate"), probe("p2", "été"),
                          probe("p3", "ｏｐｅｎ the gate"), probe("p4", "open the gates")});
  auto pairs = overlap.pairs;
  std::ranges::sort(pairs);
  EXPECT_EQ(pairs, (Pairs{{"r1", "p1"}, {"r1", "p3"}, {"r2", "p2"}}));
}

TEST(Overlap, EveryUserTurnOfARowCounts) {
  Dataset rows{"d", {example("r", "first")}};
  rows.rows[0].dialogue.messages.push_back({Role::user, "second"});
  rows.rows[0].dialogue.messages.push_back({Role::assistant, "third"});
  EXPECT_EQ(find_overlap(rows, {probe("p", "second"), probe("q", "third")}).pairs,
            (Pairs{{"r", "p"}}));
}

TEST(Overlap, NothingInCommonIsEmpty) {
  EXPECT_TRUE(find_overlap({}, {probe("p", "x")}).pairs.empty());
  EXPECT_TRUE(find_overlap({"d", {example("r", "x")}}, {}).pairs.empty());
}

}  // namespace
}  // namespace seawall
