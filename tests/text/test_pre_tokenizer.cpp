#include <gtest/gtest.h>

#include "seawall/text/gguf_pre.hpp"
#include "tests/support/files.hpp"
#include "text/pre_tokenizer.hpp"

namespace seawall {
namespace {

using Words = std::vector<std::string>;

Words words(std::string_view pattern, std::string_view text) {
  const auto splitter = PreTokenizer::named(pattern).value();
  Words out;
  while (!text.empty()) {
    const auto length = splitter.word_length(text);
    EXPECT_GE(length, 1u);
    out.emplace_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return out;
}

TEST(PreTokenizer, Gpt2KeepsASpaceWithItsWordAndTheLastOfARunToo) {
  EXPECT_EQ(words("gpt-2", "Hello  world\n\n  x"), (Words{"Hello", " ", " world", "\n\n ", " x"}));
  EXPECT_EQ(words("gpt-2", "a \t"), (Words{"a", " \t"}));
  EXPECT_EQ(words("gpt-2", "a\tb"), (Words{"a", "\t", "b"}));
}

TEST(PreTokenizer, Gpt2SplitsContractionsInLowerCaseOnly) {
  EXPECT_EQ(words("gpt-2", "we'll I'M it's"), (Words{"we", "'ll", " I", "'", "M", " it", "'s"}));
}

TEST(PreTokenizer, Gpt2KeepsNumbersAndPunctuationTogether) {
  EXPECT_EQ(words("gpt-2", "x 1234½ <|a|>"), (Words{"x", " 1234½", " <|", "a", "|>"}));
}

TEST(PreTokenizer, SmolLmCutsAtEveryDigitBeforeAnythingElse) {
  // The run of spaces ends where the digit begins, so it is not cut before its last space.
  EXPECT_EQ(words("smollm", "a  12³ 4b"), (Words{"a", "  ", "1", "2", "³", " ", "4", "b"}));
}

TEST(PreTokenizer, UnicodeClassesDecide) {
  EXPECT_EQ(words("gpt-2", "é中\u00A0ß"), (Words{"é中", "\u00A0", "ß"}));
  EXPECT_EQ(words("gpt-2", "a\u0301b"), (Words{"a", "\u0301", "b"}));  // a mark is no letter
  EXPECT_EQ(words("gpt-2", "\u3000\u3000x"), (Words{"\u3000", "\u3000", "x"}));
}

TEST(PreTokenizer, BrokenUtf8IsPunctuationAndNothingIsLost) {
  EXPECT_EQ(words("gpt-2", "a\xFF\xC3z"), (Words{"a", "\xFF\xC3", "z"}));
}

TEST(PreTokenizer, Llama3TakesThreeDigitsAndNewlinesAfterPunctuation) {
  EXPECT_EQ(words("llama-bpe", "We'LL 12345!\n\nx"),
            (Words{"We", "'LL", " ", "123", "45", "!\n\n", "x"}));
  EXPECT_EQ(words("qwen2", "12"), (Words{"1", "2"}));
}

TEST(PreTokenizer, Llama3EndsWhiteSpaceAtItsLastNewline) {
  EXPECT_EQ(words("llama-bpe", "a \n\t b"), (Words{"a", " \n", "\t", " b"}));
  EXPECT_EQ(words("llama-bpe", "a\tb  "), (Words{"a", "\tb", "  "}));
}

TEST(PreTokenizer, ADigitThatIsNoNumberToExpressionsIsOneToDigits) {
  // Of Unicode 17, which Rust's tables have and those of the expressions do not.
  EXPECT_EQ(words("gpt-2", "a\U00011DE0\U00011DE0"), (Words{"a", "\U00011DE0\U00011DE0"}));
  EXPECT_EQ(words("smollm", "a\U00011DE0\U00011DE0"), (Words{"a", "\U00011DE0", "\U00011DE0"}));
}

TEST(PreTokenizer, WordsBeginAtTheirMarkAndNoneIsCut) {
  EXPECT_EQ(words("words", "a\u2581b\u2581\u2581c"), (Words{"a", "\u2581b", "\u2581", "\u2581c"}));
  EXPECT_EQ(words("none", "a b\u2581c"), (Words{"a b\u2581c"}));
}

TEST(PreTokenizer, NamesOfGgufFilesHaveTheirPatternAndFlag) {
  for (const auto* name : {"llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral", "lfm2"}) {
    ASSERT_TRUE(gguf_pre(name)) << name;
    EXPECT_EQ(gguf_pre(name)->pattern, "llama-bpe");
    EXPECT_TRUE(gguf_pre(name)->ignore_merges);
  }
  EXPECT_FALSE(gguf_pre("dbrx")->ignore_merges);
  EXPECT_EQ(gguf_pre("deepseek-r1-qwen")->pattern, "qwen2");
  EXPECT_EQ(gguf_pre("phi-2")->pattern, "gpt-2");
  EXPECT_EQ(gguf_pre("starcoder")->pattern, "smollm");
  for (const auto* name : {"default", "", "llama", "tekken", "llama-bpe ", "gpt", "words", "none"})
    EXPECT_FALSE(gguf_pre(name)) << name;
  EXPECT_HAS(gguf_pre_names(), "gpt-2, phi-2, ");
  EXPECT_TRUE(gguf_pre_names().ends_with("exaone, minerva-7b"));
}

TEST(PreTokenizer, UnknownNamesAreUnknown) {
  EXPECT_FALSE(PreTokenizer::named("deepseek-llm").has_value());
}

}  // namespace
}  // namespace seawall
