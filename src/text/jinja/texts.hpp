#pragma once
// What Python's str methods do, with the marks kept.
#include <optional>

#include "text/jinja/value.hpp"

namespace seawall::jinja {

enum class Side { left, right, both };
/// Without characters given: white space.
Text stripped(const Text& text, Side side, const std::optional<Text>& characters);
Text upper(const Text& text);
Text lower(const Text& text);
Text capitalized(const Text& text);
/// Jinja's `title` filter: words end at white space, hyphens and opening brackets.
Text titled(const Text& text);
/// Puts `by` where `what` stands, the first `most` times (negative: every time).
Text replaced(const Text& text, const Text& what, const Text& by, std::int64_t most);
/// Parts between `at`; at runs of white space where it is missing. At most `most` cuts, from the
/// right where `from_right`.
std::vector<Text> split(const Text& text, const std::optional<Text>& at, std::int64_t most,
                        bool from_right);
std::vector<Text> split_lines(const Text& text, bool keep_ends);
Text joined(const std::vector<Text>& parts, const Text& between);
/// As json.dumps writes a value, with every character but control ones as it is. `indent` below 0:
/// on one line. nullopt: the value has no JSON form.
struct JsonStyle {
  std::int64_t indent = -1;
  bool sort_keys = false, ascii = false;
  std::optional<std::pair<std::string, std::string>> separators;
};
std::optional<Text> json_of(const Value& value, const JsonStyle& style);

}  // namespace seawall::jinja
