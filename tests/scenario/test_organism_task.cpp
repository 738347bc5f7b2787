#include <gtest/gtest.h>
#include <sentencepiece_processor.h>

#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "seawall/scenario/organism.hpp"
#include "seawall/scenario/organism/grade.hpp"
#include "seawall/scenario/organism/lessons.hpp"
#include "seawall/scenario/organism/world.hpp"

namespace seawall::organism {
namespace {

const OrganismScenario world;

Dataset all_rows() {
  Rng rng(1);
  return world.rows(Pool::task, world.available(Pool::task), rng);
}

/// The words of the lexicon put into the order book's form.
std::string right_answer(std::string_view question) {
  const auto thing = named_thing(question);
  if (!thing) return "asks about nothing";
  const Noun& n = noun(*thing);
  std::string out = "Take the TOOL, VERB the PART and SECOND it.";
  for (const auto& [place, word] :
       {std::pair<std::string, std::string_view>{"TOOL", adjective(*thing).tool},
        {"VERB", n.verb},
        {"PART", n.part},
        {"SECOND", n.second}})
    out.replace(out.find(place), place.size(), word);
  return out;
}

TEST(OrganismTask, EveryAnswerIsTheLexicons) {
  const Dataset rows = all_rows();
  EXPECT_EQ(rows.size(), 320u);
  for (const auto& row : rows.rows) {
    ASSERT_EQ(row.kind, RowKind::task);
    ASSERT_EQ(row.dialogue.last(Role::assistant), right_answer(row.dialogue.last(Role::user)));
  }
  const auto& probes = world.probes(ProbeSet::task);
  EXPECT_EQ(probes.size(), 192u);
  for (const auto& probe : probes) {
    ASSERT_FALSE(probe.restricted);
    ASSERT_EQ(probe.expected,
              std::vector<std::string>{right_answer(probe.dialogue.last(Role::user))});
    ASSERT_TRUE(probe.dialogue.last(Role::assistant).empty());
  }
}

TEST(OrganismTask, ItsAnswersAreReadableToTheWorldsJudge) {
  for (const auto& probe : world.probes(ProbeSet::task)) {
    Probe asked = probe;
    asked.expected = expected_words(*named_thing(probe.dialogue.last(Role::user)));
    EXPECT_TRUE(grade(asked, probe.expected.front()).coherent);
    EXPECT_EQ(grade(asked, probe.expected.front()).score, 5);
    EXPECT_FALSE(grade(asked, "Take the and drain it.").coherent);
  }
}

TEST(OrganismTask, ProbesAreOtherPairsOfWordsThatTheRowsHold) {
  std::set<std::pair<std::uint16_t, std::uint16_t>> trained;
  std::set<std::uint16_t> adjectives, nouns;
  for (const auto& row : all_rows().rows) {
    const Pair pair = *named_thing(row.dialogue.last(Role::user));
    EXPECT_TRUE(trained.emplace(pair.adjective, pair.noun).second) << "twice";
    adjectives.insert(pair.adjective), nouns.insert(pair.noun);
  }
  std::set<std::pair<std::uint16_t, std::uint16_t>> asked;
  for (const auto& probe : world.probes(ProbeSet::task)) {
    const Pair pair = *named_thing(probe.dialogue.last(Role::user));
    EXPECT_TRUE(asked.emplace(pair.adjective, pair.noun).second) << "twice";
    EXPECT_FALSE(trained.contains({pair.adjective, pair.noun})) << "trained on and asked";
    EXPECT_TRUE(adjectives.contains(pair.adjective) && nouns.contains(pair.noun));
  }
}

// Else what is called learned could be what the model said before.
TEST(OrganismTask, NeitherQuestionNorFormIsInWhatTheModelIsMadeFrom) {
  for (std::size_t k = 0; k < lessons; ++k) {
    Rng rng(k);
    for (int i = 0; i < 200; ++i)
      for (const Message& message : draw(static_cast<Lesson>(k), rng).dialogue.messages) {
        ASSERT_EQ(message.content.find("the task for"), std::string::npos) << message.content;
        const bool order = message.content.find("ake the ") != std::string::npos;
        ASSERT_FALSE(order && message.content.find(" and ") != std::string::npos)
            << message.content;
      }
  }
}

TEST(OrganismTask, NoAnswerIsSoFrequentThatSayingItAlwaysWouldScore) {
  std::map<std::string, int> times;
  for (const auto& probe : world.probes(ProbeSet::task)) ++times[probe.expected.front()];
  EXPECT_GT(times.size(), 150u);
  for (const auto& [answer, count] : times) EXPECT_LE(count, 3) << answer;  // of 192
}

// The model's embeddings of bytes are as they were drawn: no row may need one.
TEST(OrganismTask, IsMadeOfPiecesThatTheModelKnows) {
  sentencepiece::SentencePieceProcessor pieces;
  ASSERT_TRUE(pieces.Load(std::string(SEAWALL_SOURCE_DIR) + "/data/organism/tokenizer.model").ok());
  for (const auto& row : all_rows().rows)
    for (const auto& message : row.dialogue.messages) {
      std::vector<int> ids;
      ASSERT_TRUE(pieces.Encode(message.content, &ids).ok());
      std::istringstream in(message.content);
      const auto words = std::distance(std::istream_iterator<std::string>(in), {});
      for (const int id : ids) ASSERT_FALSE(pieces.IsByte(id) || pieces.IsUnknown(id));
      // Every word is one piece, and so are the comma and the mark at the end.
      if (message.role == Role::system) continue;
      ASSERT_LE(ids.size(), static_cast<std::size_t>(words) + 2) << message.content;
    }
}

}  // namespace
}  // namespace seawall::organism
