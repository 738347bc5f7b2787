#include "seawall/core/json.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

constexpr auto npos = std::string_view::npos;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '+' || c == '-' || c == '.';
}

/// "line 3, column 7 (byte 52)" of a text of several lines, else without the line; bytes count
/// from 0.
std::string position(std::string_view text, std::size_t byte) {
  const auto before = text.substr(0, std::min(byte, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto start = before.rfind('\n');
  const auto column = before.size() - (start == npos ? 0 : start + 1) + 1;
  const auto in_line = "column " + std::to_string(column) + " (byte " + std::to_string(byte) + ")";
  return text.find('\n') == npos ? in_line : "line " + std::to_string(line) + ", " + in_line;
}

/// What the lexer says, in words of ours: its own quote the text.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> lexer_rules{
    {{"surrogate", "an unpaired surrogate (\\ud800 to \\udfff), which is half a character"},
     {"control character", "a control character in a text; write it as an escape such as \\n"},
     {"missing closing quote", "a text is not closed; is the file cut?"},
     {"forbidden character after backslash", "a backslash that begins no escape of JSON"},
     {"4 hex digits", "\\u wants four hexadecimal digits"},
     {"ill-formed UTF-8", "bytes that are not UTF-8"}}};

/// Words that other languages write for values.
constexpr std::array<std::pair<std::string_view, std::string_view>, 12> foreign{
    {{"NaN", "null"},
     {"nan", "null"},
     {"-NaN", "null"},
     {"Infinity", "null or a number"},
     {"-Infinity", "null or a number"},
     {"inf", "null or a number"},
     {"-inf", "null or a number"},
     {"None", "null"},
     {"undefined", "null"},
     {"NULL", "null"},
     {"True", "true"},
     {"False", "false"}}};

/// The rule that is broken at byte `at` of `text`, which the parser calls `said`.
std::string broken_rule(std::string_view text, std::size_t at, std::string_view said) {
  for (const auto& [word, rule] : lexer_rules)
    if (said.find(word) != npos) return std::string(rule);
  auto begin = at, end = at;
  while (begin > 0 && is_word(text[begin - 1])) --begin;
  while (end < text.size() && is_word(text[end])) ++end;
  for (const auto& [word, instead] : foreign)
    if (text.substr(begin, end - begin) == word)
      return std::string(word) + " is no value of JSON; write " + std::string(instead);
  if (text.find_first_not_of(" \t\r\n", std::min(at, text.size())) == npos)
    return "it ends too early; is the file cut?";
  const char c = text[at];
  const auto before = text.find_last_not_of(" \t\r\n", at == 0 ? npos : at - 1);
  const char previous = at == 0 || before == npos ? '\0' : text[before];
  if (c == '\'') return "single quotes; JSON wants double quotes";
  if (c == '/' || c == '#') return "a comment; JSON has none";
  if ((c == ']' || c == '}') && previous == ',') return "a comma before the closing bracket";
  if (said.find("expected end of input") != npos)
    return c == ',' ? "a comma after the end of the value; records of JSONL have none"
                    : "more text after the end of the value";
  if (said.find("object key") != npos) return "want a key in double quotes";
  if (said.find("object separator") != npos) return "want a colon after the key";
  if (c == '"' || c == '{' || c == '[') return "a comma is missing before it";
  return "want a value";
}

std::size_t text_end(std::string_view text, std::size_t begin) {
  for (auto i = begin + 1; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      return i + 1;
    else if (text[i] == '\n')
      return npos;
  }
  return npos;
}

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& where) {
  return parse_json(text, {0, text.size()}, where);
}

nlohmann::json parse_json(std::string_view text, JsonPart part, const std::string& where) {
  const auto limit_depth = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    if (depth > max_json_depth) {
      throw DataError(where + ": JSON nested deeper than " + std::to_string(max_json_depth) +
                      " levels");
    }
    return true;
  };
  const auto own = text.substr(part.begin, part.end - part.begin);
  try {
    return nlohmann::json::parse(own.begin(), own.end(), limit_depth);
  } catch (const nlohmann::json::parse_error& error) {
    const auto at = std::min(error.byte > 0 ? error.byte - 1 : 0, own.size());
    throw DataError(where + ": not valid JSON at " + position(text, part.begin + at) + ": " +
                    broken_rule(own, at, error.what()));
  } catch (const nlohmann::json::exception&) {
    throw DataError(where + ": not valid JSON: a number is out of range");
  }
}

std::size_t json_value_end(std::string_view text, std::size_t begin) {
  if (text[begin] == '"') return text_end(text, begin);
  if (text[begin] != '{' && text[begin] != '[') {
    auto end = begin;
    while (end < text.size() && is_word(text[end])) ++end;
    return end == begin ? npos : end;
  }
  std::size_t depth = 0;
  for (auto i = begin; i < text.size();) {
    const char c = text[i];
    if (c == '"') {
      i = text_end(text, i);
      if (i == npos) return npos;
      continue;
    }
    ++i;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return i;
  }
  return npos;
}

}  // namespace seawall
