#pragma once
// JSON that came from outside: parsed under limits, with errors that name the place and never quote
// the content.
#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace seawall {

constexpr int max_json_depth = 64;

/// Parses one JSON document. Errors: DataError naming `where`, line, column, byte and the rule that
/// is broken (NaN, an unpaired surrogate, a comma too many, ...) for wrong JSON, invalid UTF-8 or
/// more than 64 levels.
nlohmann::json parse_json(std::string_view text, const std::string& where);
/// The same for a part of a text, whose places are counted in the whole.
struct JsonPart {
  std::size_t begin = 0, end = 0;
};
nlohmann::json parse_json(std::string_view text, JsonPart part, const std::string& where);

/// The byte after the JSON value that begins at `begin` (an object, an array, a text, or letters
/// and digits), found by its brackets and quotes alone. npos: it is not closed, or a text in it
/// holds a line break.
std::size_t json_value_end(std::string_view text, std::size_t begin);

}  // namespace seawall
