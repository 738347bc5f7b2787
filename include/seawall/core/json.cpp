#include "seawall/core/json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

std::string position(std::string_view text, std::size_t byte) {
  const auto before = text.substr(0, std::min(byte > 0 ? byte - 1 : 0, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto start = before.rfind('\n');
  const auto column = before.size() - (start == std::string_view::npos ? 0 : start + 1) + 1;
  const auto in_line = "column " + std::to_string(column);
  return text.find('\n') == std::string_view::npos
             ? in_line
             : "line " + std::to_string(line) + ", " + in_line;
}

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& where) {
  const auto limit_depth = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    if (depth > max_json_depth) {
      throw DataError(where + ": JSON nested deeper than " + std::to_string(max_json_depth) +
                      " levels");
    }
    return true;
  };
  try {
    return nlohmann::json::parse(text.begin(), text.end(), limit_depth);
  } catch (const nlohmann::json::parse_error& error) {
    throw DataError(where + ": not valid JSON (UTF-8) at " + position(text, error.byte));
  } catch (const nlohmann::json::exception&) {
    throw DataError(where + ": not valid JSON: a number is out of range");
  }
}

}  // namespace seawall
