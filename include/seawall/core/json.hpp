#pragma once
// JSON that came from outside: parsed under limits, with errors that name the place and never quote
// the content.
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace seawall {

constexpr int max_json_depth = 64;

/// Parses one JSON document. Errors: DataError naming `where`, line and column, for wrong JSON,
/// invalid UTF-8 or more than 64 levels.
nlohmann::json parse_json(std::string_view text, const std::string& where);

}  // namespace seawall
