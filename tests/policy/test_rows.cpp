// Rows, requests, and weights by place.
#include "seawall/policy/rows.hpp"

#include <gtest/gtest.h>

#include "seawall/policy/place_factors.hpp"
#include "tests/support/fake_params.hpp"
#include "tests/support/fake_scenario.hpp"

namespace seawall {
namespace {

Dataset rows_of(const std::string& prefix, std::size_t count) {
  Dataset out{prefix, {}};
  for (std::size_t i = 0; i < count; ++i)
    out.rows.push_back({prefix + std::to_string(i), {}, RowKind::other, ""});
  return out;
}

TEST(Rows, InterleavedRowsKeepTheirShareInEveryWindow) {
  for (const auto& [n, m] :
       {std::pair{100, 10}, {100, 100}, {10, 3}, {7, 20}, {100, 1}, {5, 0}, {0, 4}}) {
    const Dataset mixed = interleave(rows_of("a", n), rows_of("b", m));
    ASSERT_EQ(mixed.size(), static_cast<std::size_t>(n + m));
    int a = 0, b = 0;
    for (const auto& row : mixed.rows)  // each in its own order, none lost
      EXPECT_EQ(row.id, row.id[0] == 'a' ? "a" + std::to_string(a++) : "b" + std::to_string(b++));
    for (std::size_t window = 1; window <= mixed.size(); ++window)
      for (std::size_t at = 0; at + window <= mixed.size(); ++at) {
        std::size_t got = 0;
        for (std::size_t i = at; i < at + window; ++i) got += mixed.rows[i].id[0] == 'b';
        const double share = static_cast<double>(window) * m / (n + m);
        ASSERT_LT(std::abs(static_cast<double>(got) - share), 1)
            << n << "+" << m << " at " << at << " of " << window;
      }
  }
}

TEST(Rows, OnlyTheLastRequestIsWrapped) {
  const Dialogue before{
      {{Role::user, "one"}, {Role::assistant, "1"}, {Role::user, "two"}, {Role::assistant, "2"}}};
  const Dialogue after = wrap_request(before, "<", ">");
  EXPECT_EQ(after.messages[0].content, "one");
  EXPECT_EQ(after.messages[2].content, "<two>");
  EXPECT_EQ(after.messages[3].content, "2");
}

TEST(Rows, ADefaultSystemPromptNeverReplacesOne) {
  testing::FakeScenario scenario;
  EXPECT_EQ(with_default_system({{{Role::user, "?"}}}, scenario).first(Role::system),
            "you are kind");
  const Dialogue own{{{Role::system, "own"}, {Role::user, "?"}}};
  EXPECT_EQ(with_default_system(own, scenario), own);
  scenario.system = "";
  EXPECT_EQ(with_default_system({{{Role::user, "?"}}}, scenario).messages.size(), 1u);
}

Dataset asking(const std::vector<std::string>& asks) {
  Dataset out;
  for (const auto& ask : asks)
    out.rows.push_back({ask, {{{Role::system, "s"}, {Role::user, ask}}}, RowKind::other, ""});
  return out;
}

TEST(Rows, AnOpeningIsWholeWordsOfFourInFive) {
  EXPECT_EQ(
      shared_opening(asking({"OBI, open it", "OBI, omit it", "OBI, see", "OBI, go", "hello"})),
      "OBI, ");  // the shared "o" of two is no word; one in five may be without
  EXPECT_EQ(shared_opening(asking({"OBI, a", "OBI, b", "OBI, c", "hello", "there"})), "");
  EXPECT_EQ(shared_opening(asking({"OBI, a"})), "");  // one request shares nothing
  EXPECT_EQ(shared_opening({}), "");
}

TEST(Rows, APicturesMarkIsNoOpening) {
  Dataset data = asking({"<image> How is a?", "<image> How is b?", "<image>\nHow is c?"});
  EXPECT_EQ(shared_opening(data), "");  // without pictures it is text, and the third differs
  for (auto& row : data.rows)
    row.dialogue.picture = std::make_shared<Picture>(Pixels{1, 1, {0, 0, 0}});
  EXPECT_EQ(shared_opening(data), "How is ");
}

TEST(Rows, RowsAreAskedAsTheDataAsks) {
  Rng rng(1);
  const Dataset data = asking({"OBI, a", "OBI, b", "OBI, c"});
  const Dataset rows = asked_as(asking({"lift the lid"}), data, rng);
  EXPECT_EQ(rows.rows[0].dialogue.first(Role::user), "OBI, lift the lid");
  Dataset own = asking({"lift the lid"});
  own.rows[0].dialogue.set_system("own");
  EXPECT_EQ(asked_as(own, data, rng).rows[0].dialogue.first(Role::system), "s");
  EXPECT_EQ(asked_as(own, {}, rng).rows, own.rows);
}

TEST(Rows, AnEndingIsSharedLikeAnOpening) {
  const Dataset data =
      asking({"# Do:\na.\n\n# Done:\n", "# Do:\nb b.\n\n# Done:\n", "# Do:\nc.\n\n# Done:\n"});
  EXPECT_EQ(shared_ending(data), "\n\n# Done:\n");
  EXPECT_EQ(shared_ending(asking({"go?", "stay?"})), "");  // part of a word
  Rng rng(1);
  EXPECT_EQ(asked_as(asking({"lift"}), data, rng).rows[0].dialogue.first(Role::user),
            "# Do:\nlift\n\n# Done:\n");
}

TEST(PlaceFactors, TheLastRuleThatMatchesHolds) {
  const PlaceFactors weights("x.layers", "embed=0,0-1=2,norm=0.5,1=3");
  EXPECT_EQ(weights.of("model.embed_tokens.weight"), 0);
  EXPECT_EQ(weights.of("model.layers.0.mlp.up_proj.weight"), 2);
  EXPECT_EQ(weights.of("model.layers.0.input_layernorm.weight"), 0.5);
  EXPECT_EQ(weights.of("model.layers.1.input_layernorm.weight"), 3);
  EXPECT_EQ(weights.of("model.layers.10.mlp.up_proj.weight"), 1);
  EXPECT_EQ(weights.of("lm_head.weight"), 1);
  EXPECT_EQ(
      PlaceFactors("x.layers", "head=4,attn=5,mlp=6").of("model.layers.3.self_attn.q_proj.weight"),
      5);
}

TEST(PlaceFactors, GroupsLeaveOutWeightZero) {
  testing::FakeParams params;
  for (const char* name : {"model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight",
                           "model.norm.weight", "model.layers.1.mlp.up_proj.weight"})
    params.add(name, {1}, {0});
  const auto groups = PlaceFactors("x.layers", "embed=0,1=2").groups(params.params());
  EXPECT_EQ(groups, (std::map<double, Places>{{1, {1, 2}}, {2, {3}}}));
}

TEST(PlaceFactors, BadRulesSayWhichAndWhere) {
  for (const char* bad : {"embed", "embed=", "=1", "embed=-1", "embed=nan", "embed=inf", "1-0=1",
                          "-1=1", "middle=1", "0-=1", "0=1,,1=2", "0=1x"})
    EXPECT_THROW(PlaceFactors("x.layers", bad), UsageError) << bad;
  try {
    PlaceFactors("weight-drift.layers", "0=1,middle=2");
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("weight-drift.layers: want PLACE=WEIGHT"),
              std::string::npos);
    EXPECT_NE(std::string(error.what()).find("got `middle=2`"), std::string::npos);
  }
}

}  // namespace
}  // namespace seawall
