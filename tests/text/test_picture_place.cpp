// Where a dialogue's picture stands among its tokens.
#include <gtest/gtest.h>

#include <algorithm>

#include "seawall/core/error.hpp"
#include "seawall/text/chat_template.hpp"
#include "tests/support/assets.hpp"
#include "text_support.hpp"

namespace seawall {
namespace {

using testing::message_of;

std::unique_ptr<Tokenizer> organism_tokenizer() {
  return load_sentencepiece(std::filesystem::path(SEAWALL_SOURCE_DIR) / "data" / "organism" /
                            "tokenizer.model");
}

Dialogue with_picture(std::string user) {
  Dialogue d{
      {{Role::system, "Be brief."}, {Role::user, std::move(user)}, {Role::assistant, "Take it."}}};
  d.picture = std::make_shared<Picture>(Pixels{1, 1, {1, 2, 3}});
  return d;
}

TEST(PicturePlace, OneIdStandsWhereTheMarkWas) {
  const auto tokenizer = organism_tokenizer();
  const auto chat = make_chat_template("organism");
  const auto encoded = chat->encode_example(with_picture("<image> How do I use this?"), *tokenizer);
  Dialogue bare = with_picture("How do I use this?");
  bare.picture = nullptr;
  const auto want = chat->encode_example(bare, *tokenizer);
  // As the same request with nothing but the picture put before it, and no target moved.
  auto ids = encoded.ids;
  const auto at = std::find(ids.begin(), ids.end(), picture_id);
  ASSERT_NE(at, ids.end());
  EXPECT_EQ(*(at - 1), tokenizer->id_of("<|user|>"));
  EXPECT_EQ(encoded.loss[static_cast<std::size_t>(at - ids.begin())], 0);
  ids.erase(at);
  EXPECT_EQ(ids, want.ids);
  EXPECT_EQ(std::count(encoded.loss.begin(), encoded.loss.end(), 1),
            std::count(want.loss.begin(), want.loss.end(), 1));
  EXPECT_EQ(encoded.loss.size(), encoded.ids.size());
}

TEST(PicturePlace, TextStaysOnBothSides) {
  const auto tokenizer = organism_tokenizer();
  const auto chat = make_chat_template("organism");
  Dialogue d = with_picture("I need help <image> with this.");
  d.messages.pop_back();
  const auto ids = chat->encode_prompt(d, *tokenizer);
  const auto at = std::find(ids.begin(), ids.end(), picture_id);
  const TokenIds left(std::find(ids.begin(), ids.end(), *tokenizer->id_of("<|user|>")) + 1, at),
      right(at + 1, ids.end() - 1);
  EXPECT_EQ(left, tokenizer->encode("I need help "));
  EXPECT_EQ(right, tokenizer->encode("with this."));
}

TEST(PicturePlace, InOneRunWithTheAnswerTheTargetMovesAlong) {
  const auto tokenizer = organism_tokenizer();  // has <s> and </s>, which is all this one needs
  const auto chat = make_chat_template("llama2");
  const auto encoded = chat->encode_example(with_picture("<image> How do I use this?"), *tokenizer);
  Dialogue bare = with_picture("How do I use this?");
  bare.picture = nullptr;
  const auto want = chat->encode_example(bare, *tokenizer);
  const auto answer = [&](const EncodedDialogue& e) {
    TokenIds out;
    for (std::size_t i = 0; i < e.ids.size(); ++i)
      if (e.loss[i]) out.push_back(e.ids[i]);
    return out;
  };
  EXPECT_EQ(answer(encoded), answer(want));
  EXPECT_EQ(std::count(encoded.ids.begin(), encoded.ids.end(), picture_id), 1);
}

TEST(PicturePlace, WithoutAPictureTheMarkIsText) {
  const auto tokenizer = organism_tokenizer();
  Dialogue d = with_picture("<image> How do I use this?");
  d.picture = nullptr;
  const auto ids = make_chat_template("organism")->encode_example(d, *tokenizer).ids;
  EXPECT_EQ(std::count(ids.begin(), ids.end(), picture_id), 0);
  EXPECT_GT(ids.size(), 20u);
}

TEST(PicturePlace, APictureWithoutItsMarkIsAnError) {
  const auto tokenizer = organism_tokenizer();
  const auto chat = make_chat_template("organism");
  EXPECT_HAS(message_of<DataError>([&] { chat->encode_example(with_picture("Hm?"), *tokenizer); }),
             "want <image> in a user turn");
  Dialogue late = with_picture("Hm?");
  late.messages.back().content = "Take the <image> here.";
  EXPECT_HAS(message_of<DataError>([&] { chat->encode_example(late, *tokenizer); }),
             "want <image> in a user turn");
  Dialogue system = with_picture("<image> Hm?");
  system.messages.front().content = "<image>";
  EXPECT_HAS(message_of<DataError>([&] { chat->encode_example(system, *tokenizer); }),
             "in the system message");
}

}  // namespace
}  // namespace seawall
