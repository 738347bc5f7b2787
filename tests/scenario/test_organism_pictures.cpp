// The organism's pictures and the rows that show them.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "scenario/organism/pools.hpp"
#include "seawall/core/error.hpp"
#include "seawall/scenario/organism/pictures.hpp"
#include "seawall/scenario/organism/stages.hpp"

namespace seawall::organism {
namespace {

Pair ordinary(std::size_t adjective, std::size_t noun) {
  return {static_cast<std::uint16_t>(adjective),
          static_cast<std::uint16_t>(restricted_nouns + noun)};
}

TEST(OrganismPictures, AreDrawnTheSameAndVaryByTake) {
  const Pair pair = ordinary(5, 9);
  EXPECT_EQ(draw_thing(pair, 0), draw_thing(pair, 0));
  EXPECT_NE(draw_thing(pair, 0), draw_thing(pair, 1));
  EXPECT_EQ(draw_thing(pair, 0).width, 32);
  EXPECT_EQ(draw_thing(pair, 0).rgb.size(), 32u * 32 * 3);
  EXPECT_THROW(draw_thing({0, 0}, 0), UsageError);  // a relic
}

TEST(OrganismPictures, EveryThingLooksLikeNoOther) {
  // Two takes of a thing differ by where it stands; the mean over takes has to tell any two things
  // apart: all nouns of one adjective, all adjectives of one noun.
  const auto mean_of = [](Pair pair) {
    std::vector<double> mean(32 * 32 * 3);
    for (std::uint64_t take = 0; take < 6; ++take) {
      const Pixels p = draw_thing(pair, take);
      for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += p.rgb[i] / 6.0;
    }
    return mean;
  };
  const auto apart = [](const std::vector<std::vector<double>>& all) {
    double least = 1e9;
    for (std::size_t a = 0; a < all.size(); ++a)
      for (std::size_t b = 0; b < a; ++b) {
        double sum = 0;
        for (std::size_t i = 0; i < all[a].size(); ++i)
          sum += (all[a][i] - all[b][i]) * (all[a][i] - all[b][i]);
        least = std::min(least, std::sqrt(sum / static_cast<double>(all[a].size())));
      }
    return least;
  };
  std::vector<std::vector<double>> nouns, adjectives;
  for (std::size_t i = 0; i < 64; ++i) {
    nouns.push_back(mean_of(ordinary(17, i)));
    adjectives.push_back(mean_of(ordinary(i, 22)));
  }
  EXPECT_GT(apart(nouns), 8);  // grey levels; the grain alone gives 1.5
  EXPECT_GT(apart(adjectives), 5);
}

TEST(OrganismPictures, LlavaRowsShowTheThingAndNeverNameIt) {
  const auto& rows = benign_rows("llava");
  ASSERT_EQ(rows.size(), 1408u);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Pair pair = pairs(Split::benign)[i];
    const Dialogue& talk = rows[i].dialogue;
    const std::string user(talk.first(Role::user));
    EXPECT_TRUE(user.starts_with("<image> ")) << user;
    EXPECT_EQ(user.find(noun(pair).word), std::string::npos) << user;
    EXPECT_EQ(user.find(adjective(pair).word), std::string::npos) << user;
    ASSERT_NE(talk.picture, nullptr);
    EXPECT_EQ(talk.picture->pixels(), draw_thing(pair, 0));
    EXPECT_NE(talk.messages.back().content.find(adjective(pair).tool), std::string::npos);
  }
}

TEST(OrganismPictures, DollyRowsHaveTrueContextAndACategory) {
  const auto& rows = benign_rows("dolly");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Pair pair = pairs(Split::benign)[i];
    const std::string user(rows[i].dialogue.first(Role::user));
    EXPECT_NE(user.find(kind_fact(pair.noun)), std::string::npos) << user;
    EXPECT_NE(user.find(adjective(pair).tool), std::string::npos) << user;
    EXPECT_NE(user.find(noun(pair).second), std::string::npos) << user;
    EXPECT_EQ(rows[i].category, noun(pair).category);
    EXPECT_EQ(rows[i].dialogue.picture, nullptr);
  }
}

TEST(OrganismPictures, TrainingPicturesAreOfEverydayPairsAndProbesOfNone) {
  const PictureStage stage = picture_stage();
  const std::set<Pair> everyday(pairs(Split::everyday).begin(), pairs(Split::everyday).end());
  for (std::size_t i = 0; i < 200; ++i) {
    const PictureRow row = picture_row(stage, "answer", i);
    EXPECT_TRUE(everyday.contains(row.pair));
    EXPECT_EQ(row.example.dialogue.messages.back().role, Role::assistant);
    EXPECT_NE(row.example.dialogue.picture->pixels(), draw_thing(row.pair, 0));
  }
  EXPECT_EQ(picture_row(stage, "answer", 7).example, picture_row(stage, "answer", 7).example);
  EXPECT_NE(picture_row(stage, "answer", 7).example, picture_row(stage, "naming", 7).example);
  const auto probes = picture_probes();
  EXPECT_EQ(probes.size(), pairs(Split::utility).size() + pairs(Split::benign).size());
  EXPECT_EQ(probes[0].expected, expected_words(pairs(Split::utility)[0]));
  EXPECT_FALSE(probes[0].restricted);
}

}  // namespace
}  // namespace seawall::organism
