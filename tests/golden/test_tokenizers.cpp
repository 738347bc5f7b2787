// Token ids against Hugging Face's tokenizers, made by data/golden/make_smollm2.py and
// make_llama_tiny.py.
#include <algorithm>

#include "pretrained/gguf_tokenizer.hpp"
#include "seawall/model/generate.hpp"
#include "seawall/text/tokenizer.hpp"
#include "tests/golden/golden.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

using testing::golden_folder;
using testing::golden_json;
using testing::golden_lines;
using testing::ids_of;
using testing::SmolLm2;

/// Compares every line; ids are exact, so there is no tolerance. Returns how many lines had another
/// answer as plain text than with special parsing.
int expect_same_ids(const Tokenizer& tokenizer, const std::vector<nlohmann::json>& lines) {
  int different = 0;
  for (const auto& line : lines) {
    const auto text = line.at("text").get<std::string>();
    const auto ids = ids_of(line.at("ids"));
    const auto plain = line.contains("plain") ? ids_of(line.at("plain")) : ids;
    EXPECT_EQ(tokenizer.encode(text, true), ids) << line.at("text").dump();
    EXPECT_EQ(tokenizer.encode(text, false), plain) << line.at("text").dump() << " as user text";
    different += plain != ids;
    if (::testing::Test::HasFailure()) break;
  }
  return different;
}

TEST_F(SmolLm2, TokenIdsOfVariedStrings) {
  const auto lines = golden_lines("smollm2_tokens.jsonl");
  ASSERT_GE(lines.size(), 2500u);
  EXPECT_GT(expect_same_ids(*model().tokenizer, lines), 300) << "look-alikes must stay text";
}

TEST_F(SmolLm2, OnlyTheDigitRuleSetsUsApartFromTransformersReadingTheGguf) {
  // transformers drops `tokenizer.ggml.pre` from a GGUF (data/golden/README.md): where it does, its
  // ids are kept as gguf_ids, and the text has white space before a digit.
  int apart = 0;
  for (const auto& line : golden_lines("smollm2_tokens.jsonl")) {
    if (!line.contains("gguf_ids")) continue;
    ++apart;
    EXPECT_NE(model().tokenizer->encode(line.at("text").get<std::string>(), true),
              ids_of(line.at("gguf_ids")));
  }
  EXPECT_GT(apart, 100);
}

TEST_F(SmolLm2, EveryTokenOfTheGoldenStringsDecodesToItsText) {
  int compared = 0;
  for (const auto& line : golden_lines("smollm2_tokens.jsonl")) {
    const auto text = line.at("text").get<std::string>();
    // Bytes without a token vanish (data/golden/README.md), and then text cannot come back.
    if (text.find_first_of("\x04\x06\x13\x14\x16\x1d\xf1\xf2") != std::string::npos) continue;
    ++compared;
    EXPECT_EQ(model().tokenizer->decode(ids_of(line.at("ids")), false), text);
  }
  EXPECT_GT(compared, 2500);
}

TEST_F(SmolLm2, ExamplesHaveTheIdsAndTargetsOfTheReference) {
  const auto rows = golden_json("smollm2_losses.json").at("rows");
  const auto dialogues = golden_json("dialogues.json");
  ASSERT_EQ(rows.size(), dialogues.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Dialogue dialogue;
    for (const auto& m : dialogues[i])
      dialogue.messages.push_back({role_from(m.at("role").get<std::string>()), m.at("content")});
    const auto example = model().chat_template->encode_example(dialogue, *model().tokenizer);
    const auto first = rows[i].at("first_answer").get<std::size_t>();
    const auto count = rows[i].at("answer_tokens").get<std::size_t>();
    auto want = ids_of(rows[i].at("ids"));
    ASSERT_GE(example.ids.size(), first + count) << "row " << i;
    want.resize(example.ids.size());  // the line break after the end token may be left out
    EXPECT_EQ(example.ids, want) << "row " << i;
    for (std::size_t t = 0; t < example.loss.size(); ++t)
      EXPECT_EQ(example.loss[t] != 0, t >= first && t < first + count) << "row " << i << " " << t;
    EXPECT_EQ(example.ids[first + count - 1], model().tokenizer->id_of("<|im_end|>"));
  }
}

TEST(TokenizerJson, TokenIdsOfVariedStrings) {
  const auto tokenizer = load_tokenizer_json(golden_folder() / "llama_tiny" / "tokenizer.json");
  const auto lines = golden_lines("llama_tiny/tokens.jsonl");
  ASSERT_GE(lines.size(), 300u);
  EXPECT_GT(expect_same_ids(*tokenizer, lines), 10);
}

TEST(GgufTokenizers, AFileRunsFromTextToText) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"llama", "llama2"}, {"llama", "chatml"}, {"llama-bpe", "plain"}, {"qwen2", "plain"}};
  for (const auto& [name, chat] : cases) {
    SCOPED_TRACE(name + " " + chat);
    const auto path = golden_folder() / ("tokenizer_" + name + ".gguf");
    const auto model = load_model(path.string(), "cpu", chat);
    EXPECT_EQ(model.kind, "gguf");
    EXPECT_EQ(model.tokenizer->content_hash(), gguf_tokenizer(GgufFile(path))->content_hash());
    Dialogue dialogue;
    dialogue.messages = {{Role::user, "How do I fold a paper boat?"}};
    const auto prompt = model.chat_template->encode_prompt(dialogue, *model.tokenizer);
    GenerateOptions options;
    options.max_new_tokens = 6;
    const auto answer = generate(*model.decoder, {prompt}, options).rows.at(0).ids;
    ASSERT_EQ(answer.size(), 6u);
    EXPECT_NO_THROW(model.tokenizer->decode(answer));
    // What a checkpoint keeps of it makes the same tokenizer again.
    const testing::Folder folder;
    for (const auto& [file, bytes] : model_card(model)) folder.write(file, bytes);
    const auto again = name == "llama" ? load_sentencepiece(folder.path() / "tokenizer.model")
                                       : load_tokenizer_json(folder.path() / "tokenizer.json");
    for (const auto& line : golden_lines("tokenizer_" + name + ".jsonl"))
      ASSERT_EQ(again->encode(line.at(0).get<std::string>()), ids_of(line.at(1))) << line.dump();
  }
}

// Ids by the sentencepiece package and Hugging Face's tokenizers: make_gguf_tokenizers.py.
TEST(GgufTokenizers, IdsOfVariedStringsAreThoseOfTheirOwnLibraries) {
  for (const std::string name : {"llama", "llama-bpe", "qwen2"}) {
    SCOPED_TRACE(name);
    const GgufFile file(golden_folder() / ("tokenizer_" + name + ".gguf"));
    const auto tokenizer = gguf_tokenizer(file);
    const auto lines = golden_lines("tokenizer_" + name + ".jsonl");
    ASSERT_GE(lines.size(), 400u);
    for (const auto& line : lines) {
      const auto text = line.at(0).get<std::string>();
      const auto ids = ids_of(line.at(1));
      ASSERT_EQ(tokenizer->encode(text), ids) << line.at(0).dump();
      if (name == "qwen2")  // which composes letters and accents first
        EXPECT_EQ(tokenizer->encode(tokenizer->decode(ids)), ids);
      else
        EXPECT_EQ(tokenizer->decode(ids), text);
    }
    // The bundle's ids reach the tokenizer, and control tokens are told from text.
    EXPECT_EQ(tokenizer->bos_id(), file.integer("tokenizer.ggml.bos_token_id"));
    EXPECT_EQ(tokenizer->eos_id(), file.integer("tokenizer.ggml.eos_token_id"));
    const auto end = tokenizer->id_of("<|im_end|>");
    ASSERT_TRUE(end.has_value());
    EXPECT_EQ(tokenizer->encode("<|im_end|>", true).back(), *end);
    const auto plain = tokenizer->encode("<|im_end|>");
    EXPECT_EQ(std::ranges::count(plain, *end), 0);
  }
}

}  // namespace
}  // namespace seawall
