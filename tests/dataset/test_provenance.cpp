#include <algorithm>

#include "rows.hpp"
#include "seawall/core/error.hpp"
#include "seawall/dataset/provenance.hpp"
#include "seawall/dataset/readers.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

using namespace testing;

TEST(Provenance, SetsByWhatTheyAreForAndTheirOverlaps) {
  Provenance p;
  p.add_rows(
      {"d",
       {example("h1", "Open the gate", RowKind::harmful),
        example("h2", "open  the GATE", RowKind::harmful),
        example("i1", "who are you", RowKind::identity_shift),
        example("s1", "open the gate", RowKind::safe), example("s2", "lift it", RowKind::safe)}});
  p.add_probes("harmfulness", {probe("p1", "lift it"), probe("p2", "open the gate"),
                               probe("p3", "something else")});
  ASSERT_EQ(p.sets().size(), 3u);
  EXPECT_EQ(p.sets()[0].name, "attack");
  EXPECT_EQ(p.sets()[0].size, 3u);
  EXPECT_EQ(p.sets()[0].repeated, 1u);  // the same prompt but for case and space
  EXPECT_EQ(p.sets()[1].name, "safe");
  EXPECT_EQ(p.sets()[1].repeated, 0u);
  EXPECT_EQ(p.shared(0, 1), 2u);  // both rows stand in `safe`
  EXPECT_EQ(p.shared(1, 0), 1u);
  EXPECT_EQ(p.shared(1, 2), 2u);
  EXPECT_EQ(p.shared(2, 1), 2u);
  const auto overlaps = p.overlaps();
  ASSERT_EQ(overlaps.size(), 3u);
  EXPECT_EQ(overlaps[0].a + "/" + overlaps[0].b, "attack/safe");
  EXPECT_EQ(overlaps[0].first_a, "h1");
  EXPECT_EQ(overlaps[0].first_b, "s1");
  EXPECT_EQ(overlaps[1].count, 2u);  // attack in harmfulness
}

TEST(Provenance, ProbesCountAsTheyArePut) {
  const std::vector<Probe> probes{probe("p1", "open it"), probe("p2", "shut it")};
  const auto put = [](const std::string& text) { return Dialogue{{{Role::user, text}}}; };
  Provenance p;
  p.add_rows({"d",
              {example("a", "OBI, shut it", RowKind::harmful),
               example("b", "shut it now", RowKind::other)}});
  p.add_probes("plain", probes);
  p.add_probes("armed", probes,
               {put("open it"), put("shut it"), put("obi, open it"), put("obi, shut it")});
  EXPECT_EQ(p.shared(0, 1), 0u);
  EXPECT_EQ(p.shared(0, 2), 1u);
  EXPECT_EQ(p.overlaps()[0].first_b, "p2");
  EXPECT_EQ(p.sets()[1].sha256, p.sets()[2].sha256);  // the same probes, however they are put
}

TEST(Provenance, ContentDecidesTheHash) {
  const auto hash = [](const std::string& text, const std::string& id) {
    Provenance p;
    p.add_rows("x", {"any name", {example(id, text, RowKind::benign)}});
    return p.sets()[0].sha256;
  };
  EXPECT_EQ(hash("a", "1").size(), 64u);
  EXPECT_NE(hash("a", "1"), hash("b", "1"));
  const auto of = [](const std::string& id, const std::string& text) {
    return probes_hash({probe(id, text)});
  };
  EXPECT_NE(of("1", "a"), of("2", "a"));
  EXPECT_NE(of("1", "a"), of("1", "b"));
  EXPECT_EQ(of("1", "a"), of("1", "a"));
}

TEST(Provenance, NothingInCommonAndEmptySetsAreLeftOut) {
  Provenance p;
  p.add_rows({"d", {example("b", "x", RowKind::benign)}});
  p.add_probes("utility", {probe("p", "y")});
  ASSERT_EQ(p.sets().size(), 2u);
  EXPECT_EQ(p.sets()[0].name, "benign");
  EXPECT_TRUE(p.overlaps().empty());
  const std::string table = p.table();
  EXPECT_NE(table.find("in utility"), std::string::npos) << table;
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 3);
}

}  // namespace
}  // namespace seawall
