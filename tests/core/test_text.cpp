#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/core/json.hpp"
#include "seawall/core/suggest.hpp"
#include "seawall/core/text.hpp"

namespace seawall {
namespace {

TEST(Utf8, AcceptsWhatUnicodeDefines) {
  // The first and the last code point of each length, and the neighbours of the surrogates.
  for (const char* text :
       {"", "\x7f", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
        "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(find_invalid_utf8(text), std::nullopt) << shown(text);
  }
  EXPECT_EQ(find_invalid_utf8(std::string_view("a\0b", 3)), std::nullopt);
}

TEST(Utf8, FindsTheFirstByteThatIsWrong) {
  // Stray, over-long, a surrogate, above U+10FFFF, cut at the end.
  for (const char* bad :
       {"\x80", "\xC0\xAF", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xC2", "\xE2\x82", "\xF0\x9F\x98",
        "\xC2"
        "a"}) {
    EXPECT_EQ(find_invalid_utf8(std::string("é") + bad), 2u) << shown(bad);
  }
}

TEST(Shown, KeepsOneLineOfPrintableText) {
  EXPECT_EQ(shown("plain text"), "plain text");
  EXPECT_EQ(shown("a\nb\x1b[0mé"), "a\\x0ab\\x1b[0m\\xc3\\xa9");
  EXPECT_EQ(shown("abcdef", 3), "abc...");
  EXPECT_EQ(shown("abc", 3), "abc");
}

std::string json_error(std::string_view text) {
  try {
    parse_json(text, "f.json");
  } catch (const DataError& e) {
    return e.what();
  }
  return "nothing was thrown";
}

TEST(Json, ReadsAndNamesTheFirstPlaceThatIsWrong) {
  EXPECT_EQ(parse_json(R"({"a": [1, "é"]})", "f")["a"][1], "é");
  EXPECT_EQ(json_error("[1,]"),
            "f.json: not valid JSON at column 4 (byte 3): a comma before the closing bracket");
  EXPECT_EQ(json_error("{\n  \"a\": x\n}"),
            "f.json: not valid JSON at line 2, column 8 (byte 9): want a value");
  EXPECT_NE(json_error("[\"\xff\"]").find("not UTF-8"), std::string::npos);
  EXPECT_NE(json_error("").find("f.json: not valid JSON"), std::string::npos);
  EXPECT_EQ(json_error("1e999"), "f.json: not valid JSON: a number is out of range");
  EXPECT_EQ(json_error("[\"secret words\" x]").find("secret"), std::string::npos);
}

TEST(Json, APartIsPlacedInTheWholeText) {
  const std::string text = "[1,\n {\"a\": NaN}]";
  try {
    parse_json(text, {5, 15}, "f.json");
    ADD_FAILURE() << "nothing was thrown";
  } catch (const DataError& e) {
    EXPECT_STREQ(e.what(),
                 "f.json: not valid JSON at line 2, column 8 (byte 11): NaN is no value of JSON; "
                 "write null");
  }
  EXPECT_EQ(parse_json(text, {1, 2}, "f"), 1);
}

TEST(Json, AValueEndsWhereItsBracketsClose) {
  const std::string text = R"({"a": "}\"", "b": [1, {}]} next)";
  EXPECT_EQ(json_value_end(text, 0), text.find(" next"));
  EXPECT_EQ(json_value_end(text, 6), text.find(", \"b\""));
  EXPECT_EQ(json_value_end("-1.5e3, 2", 0), 6u);
  for (const char* open : {"{\"a\": 1", "\"a", "[\"a\nb\"]", ", 1"})
    EXPECT_EQ(json_value_end(open, 0), std::string_view::npos) << open;
}

TEST(Json, DepthIsLimitedAndNeverExhaustsTheStack) {
  const auto nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_NO_THROW(parse_json(nested(max_json_depth), "f"));
  EXPECT_EQ(json_error(nested(1000000)), "f.json: JSON nested deeper than 64 levels");
}

TEST(NearestName, FindsSlipsOfTheHandAlone) {
  const std::vector<std::string> known{"weight-drift", "safety-mixing", "none"};
  EXPECT_EQ(nearest_name("weigth-drift", known), "weight-drift");
  EXPECT_EQ(nearest_name("saftey-mixing", known), "safety-mixing");
  EXPECT_EQ(nearest_name("nine", known), "none");
  EXPECT_EQ(nearest_name("zzzzzzzzzzzz", known), std::nullopt);
  EXPECT_EQ(nearest_name("x", {}), std::nullopt);
}

TEST(Thinking, TheAnswerBeginsAfterIt) {
  EXPECT_EQ(after_thinking("Turn it."), "Turn it.");
  EXPECT_EQ(after_thinking(""), "");
  EXPECT_EQ(after_thinking("<think>\nhm\n</think>\n\nTurn it."), "Turn it.");
  EXPECT_EQ(after_thinking(" <think></think>Turn it. "), "Turn it. ");
  EXPECT_EQ(after_thinking("hm\n</think>\nTurn it."), "Turn it.") << "opened by the template";
  EXPECT_EQ(after_thinking("[THINK]hm[/THINK]Turn it."), "Turn it.");
  EXPECT_EQ(after_thinking("<think>hm</think>"), "");
  EXPECT_EQ(after_thinking("<think>hm"), std::nullopt);
  EXPECT_EQ(after_thinking("Write <think> and </think>."), "Write <think> and </think>.");
}

TEST(Unreadable, NothingToTakeUp) {
  for (const char* text : {"", " \n\t", "!!!!!!!!", "...", "\u2026\u201d", "\u200b", "\u3000",
                           "\uFFFD\uFFFD", "a\uFFFD\uFFFD\uFFFD"})
    EXPECT_TRUE(is_unreadable(text)) << shown(text);
  for (const char* text :
       {"a", "7", "\u00e9", "\u65e5\u672c", "\u043d\u0435\u0442", "Sorry\u2019", "\U0001F512"})
    EXPECT_FALSE(is_unreadable(text)) << shown(text);
}

}  // namespace
}  // namespace seawall
