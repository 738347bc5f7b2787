#include "seawall/core/options.hpp"

#include <charconv>
#include <cmath>

#include "seawall/core/suggest.hpp"

namespace seawall::detail {
namespace {

/// As it is typed; the command's own options have no policy.
std::string option_word(std::string_view policy, std::string_view name) {
  std::string word = "--";
  if (!policy.empty()) word.append(policy).append(".");
  return word.append(name);
}

[[noreturn]] void refuse(std::string_view policy, const OptionInfo& info, std::string_view want,
                         std::string_view got) {
  std::string what = option_word(policy, info.name);
  what.append(": want ").append(want);
  what.append(", got \"").append(got).append("\" (").append(info.help).append(")");
  throw UsageError(what);
}

std::string want_text(std::string_view kind, const OptionInfo& info) {
  const std::string range = range_text(info);
  return range.empty() ? std::string(kind) : std::string(kind) + " in " + range;
}

/// Reads the whole of `text` as a number within the range of `info`. std::from_chars knows no
/// locale, so '.' stays the point.
template <class Number>
Number parse_number(std::string_view kind, std::string_view policy, const OptionInfo& info,
                    std::string_view text) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  const bool fits = error == std::errc() && stop == end;
  // Written so that NaN is refused too.
  const bool within =
      static_cast<double>(value) >= info.min && static_cast<double>(value) <= info.max;
  if (!fits || !within) refuse(policy, info, want_text(kind, info), text);
  return value;
}

std::string bound_text(double bound) {
  if (std::isinf(bound)) return bound < 0 ? "-inf" : "inf";
  return bound == std::floor(bound) && std::abs(bound) < 1e15
             ? to_text(static_cast<std::int64_t>(bound))
             : to_text(bound);
}

}  // namespace

std::string to_text(bool v) { return v ? "true" : "false"; }
std::string to_text(std::int64_t v) { return std::to_string(v); }

std::string to_text(double v) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, v);
  static_cast<void>(error);  // the shortest text of a double has at most 24 characters
  return {buffer, end};
}

void parse_into(bool& out, std::string_view policy, const OptionInfo& info, std::string_view text) {
  if (text == "true" || text == "1" || text == "on" || text == "yes") {
    out = true;
  } else if (text == "false" || text == "0" || text == "off" || text == "no") {
    out = false;
  } else {
    refuse(policy, info, "true or false", text);
  }
}

void parse_into(std::int64_t& out, std::string_view policy, const OptionInfo& info,
                std::string_view text) {
  out = parse_number<std::int64_t>("a whole number", policy, info, text);
}

void parse_into(double& out, std::string_view policy, const OptionInfo& info,
                std::string_view text) {
  out = parse_number<double>("a number", policy, info, text);
}

void parse_into(std::string& out, std::string_view policy, const OptionInfo& info,
                std::string_view text) {
  std::string_view rest = info.choices;
  bool allowed = rest.empty();
  while (!allowed && !rest.empty()) {
    const auto bar = rest.find('|');
    allowed = rest.substr(0, bar) == text;
    rest = bar == std::string_view::npos ? std::string_view() : rest.substr(bar + 1);
  }
  if (!allowed) refuse(policy, info, "one of " + std::string(info.choices), text);
  out = text;
}

std::string range_text(const OptionInfo& info) {
  if (!info.choices.empty()) return std::string(info.choices);
  if (std::isinf(info.min) && std::isinf(info.max)) return "";
  return "[" + bound_text(info.min) + ", " + bound_text(info.max) + "]";
}

void unknown_option(std::string_view policy, std::string_view name,
                    const std::vector<std::string>& known) {
  std::string what = option_word(policy, name) + ": no such option; ";
  if (const auto near = nearest_name(name, known)) what += "did you mean " + *near + "? ";
  what.append(policy.empty() ? "the command" : policy);
  what.append(known.empty() ? " has none" : " has");
  for (const auto& option : known) what.append(&option == known.data() ? " " : ", ").append(option);
  throw UsageError(what);
}

}  // namespace seawall::detail
