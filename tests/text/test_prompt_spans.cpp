#include "seawall/text/prompt_spans.hpp"

#include <map>

#include "text_support.hpp"

namespace seawall {
namespace {

using namespace testing;

std::string letters_of(const std::string& text) {
  std::string out;
  for (const char c : text)
    if (c != ' ' && c != '\n') out += c;
  return out;
}

/// The text of the tokens of each part, in order.
std::map<std::string_view, std::string> parts(std::string_view name, const Dialogue& dialogue,
                                              const Tokenizer& tokenizer) {
  const auto chat = make_chat_template(name);
  const TokenIds ids = chat->encode_prompt(dialogue, tokenizer);
  const auto spans = prompt_spans(*chat, dialogue, ids, tokenizer);
  EXPECT_EQ(spans.size(), ids.size());
  std::map<std::string_view, TokenIds> tokens;
  for (std::size_t i = 0; i < spans.size(); ++i)
    tokens[attention_spans.at(static_cast<std::size_t>(spans[i]))].push_back(ids[i]);
  std::map<std::string_view, std::string> out;
  for (const auto& [part, of_part] : tokens) out[part] = tokenizer.decode(of_part, false);
  return out;
}

TEST(PromptSpans, AreTheContentsOfMessagesAndWhatTheTemplateWrites) {
  const auto tokenizer = make_bpe_tokenizer(bpe_spec());
  // Contents that the template writes, too.
  const Dialogue dialogue{{{Role::system, "user"},
                           {Role::user, "  hello user\n"},
                           {Role::assistant, "assistant"},
                           {Role::user, "7 é"}}};
  const auto got = parts("chatml", dialogue, *tokenizer);
  EXPECT_EQ(got.at("sink"), "<|im_start|>");
  EXPECT_EQ(got.at("system"), "user");
  EXPECT_EQ(letters_of(got.at("user")), "hellouser7é");
  EXPECT_EQ(got.at("assistant"), "assistant");
  EXPECT_EQ(letters_of(got.at("template")),
            "system<|im_end|><|im_start|>user<|im_end|><|im_start|>assistant<|im_end|>"
            "<|im_start|>user<|im_end|><|im_start|>assistant");
  EXPECT_FALSE(got.contains("self"));
}

TEST(PromptSpans, ATemplateThatStripsContents) {
  const auto tokenizer = make_sentencepiece(spm_model(), "test");
  const auto got = parts("organism", {{{Role::user, " hello the \n"}}}, *tokenizer);
  EXPECT_EQ(letters_of(got.at("user")), "hellothe");
}

TEST(PromptSpans, PlainTextIsTheUsers) {
  EXPECT_EQ(plain_spans(3), (std::vector<std::int64_t>{0, 2, 2}));
  EXPECT_TRUE(plain_spans(0).empty());
}

TEST(PromptSpans, NoneWhereTheTokensAreOfAnotherText) {
  const auto tokenizer = make_bpe_tokenizer(bpe_spec());
  const auto chat = make_chat_template("chatml");
  const auto ids = chat->encode_prompt({{{Role::user, "hello"}}}, *tokenizer);
  EXPECT_TRUE(prompt_spans(*chat, {{{Role::user, "the"}}}, ids, *tokenizer).empty());
}

}  // namespace
}  // namespace seawall
