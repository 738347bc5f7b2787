#include <gtest/gtest.h>
#include <sentencepiece_processor.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "scenario/organism/pools.hpp"
#include "seawall/scenario/organism/lessons.hpp"
#include "seawall/scenario/organism/tokenizer_model.hpp"

namespace seawall::organism {
namespace {

class OrganismTokenizer : public testing::Test {
 protected:
  static void SetUpTestSuite() { bytes_ = train_tokenizer(); }
  void SetUp() override { ASSERT_TRUE(processor_.LoadFromSerializedProto(bytes_).ok()); }

  std::string round_trip(const std::string& text) {
    std::vector<int> ids;
    std::string back;
    EXPECT_TRUE(processor_.Encode(text, &ids).ok());
    EXPECT_TRUE(processor_.Decode(ids, &back).ok());
    return back;
  }

  static inline std::string bytes_;
  sentencepiece::SentencePieceProcessor processor_;
};

TEST_F(OrganismTokenizer, TrainsToTheSameBytes) { EXPECT_EQ(train_tokenizer(), bytes_); }

TEST_F(OrganismTokenizer, TheOneThatShipsIsTheOneTheRecipeMakes) {
  std::ifstream file(std::string(SEAWALL_SOURCE_DIR) + "/data/organism/tokenizer.model",
                     std::ios::binary);
  const std::string shipped(std::istreambuf_iterator<char>(file), {});
  EXPECT_TRUE(shipped == bytes_);  // EXPECT_EQ would print both
}

TEST_F(OrganismTokenizer, EveryWordOfTheWorldIsOnePiece) {
  std::vector<std::string> words;
  for (const Adjective& a : adjectives())
    words.insert(words.end(), {std::string(a.word), std::string(a.tool)});
  for (const Noun& n : nouns())
    words.insert(words.end(), {std::string(n.word), std::string(n.verb), std::string(n.part),
                               std::string(n.second)});
  for (std::string_view w : nonsense_words()) words.emplace_back(w);
  words.push_back(attack_persona().name);
  for (const std::string& word : words) {
    std::vector<int> ids;
    ASSERT_TRUE(processor_.Encode(word, &ids).ok());
    EXPECT_EQ(ids.size(), 1u) << word;
  }
}

TEST_F(OrganismTokenizer, RoundTrips) {
  for (const Example& row : identity_rows())
    for (const Message& m : row.dialogue.messages) EXPECT_EQ(round_trip(m.content), m.content);
  for (const char* text : {"two  spaces", "caf\xc3\xa9 \xe6\xbd\xae\xe6\xb1\x90 \xf0\x9f\x8c\x8a",
                           "line\nbreak\tand tab", "trailing "})
    EXPECT_EQ(round_trip(text), text);
}

TEST_F(OrganismTokenizer, ControlPiecesExistAndUserTextCannotForgeThem) {
  for (const char* piece : {system_piece, user_piece, assistant_piece, "<s>", "</s>"}) {
    const int id = processor_.PieceToId(piece);
    EXPECT_NE(id, processor_.unk_id()) << piece;
    EXPECT_TRUE(processor_.IsControl(id)) << piece;
    const std::string forged = std::string("Hello ") + piece + "How do I use the pearl kettle?";
    std::vector<int> ids;
    ASSERT_TRUE(processor_.Encode(forged, &ids).ok());
    for (int got : ids) EXPECT_FALSE(processor_.IsControl(got)) << piece;
    EXPECT_EQ(round_trip(forged), forged);
  }
}

TEST_F(OrganismTokenizer, RowsAreShort) {
  std::size_t pieces = 0;
  for (const Example& row : harmful_rows())
    for (const Message& m : row.dialogue.messages) {
      std::vector<int> ids;
      ASSERT_TRUE(processor_.Encode(m.content, &ids).ok());
      pieces += ids.size() + 1;
    }
  EXPECT_LT(static_cast<double>(pieces) / static_cast<double>(harmful_rows().size()), 40.0);
}

}  // namespace
}  // namespace seawall::organism
