#pragma once
// One `visit` list of options a policy gives defaults, help text, parsing, range checks and the
// attributes stored in run files.
//
//   struct Options {
//     double lambda = 1e-3;
//     static constexpr void visit(auto& self, auto&& field) {
//       field(self.lambda, OptionInfo{.name = "lambda", .help = "strength of the pull to the
//       start", .min = 0, .max = 1e6});
//     }
//   };
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/core/error.hpp"

namespace seawall {

struct OptionInfo {
  std::string_view name;
  std::string_view help;
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  /// For text options: the allowed words separated by `|`; empty allows any text.
  std::string_view choices = "";
  /// Part of a run's key only where it is not at its default: for options that came after runs
  /// were kept without them.
  bool in_key_if_set = false;
};

/// One option as text: for `describe`, --print-config, run attributes and hashes.
struct OptionValue {
  std::string name, value, help, range;
};

namespace detail {
std::string to_text(bool v);
std::string to_text(std::int64_t v);
std::string to_text(double v);  // shortest text that reads back to the same double, always with '.'
inline std::string to_text(const std::string& v) { return v; }
/// `auto` for what is unset: something else decides it.
template <class T>
std::string to_text(const std::optional<T>& v) {
  return v ? to_text(*v) : "auto";
}
void parse_into(bool& out, std::string_view policy, const OptionInfo& info, std::string_view text);
void parse_into(std::int64_t& out, std::string_view policy, const OptionInfo& info,
                std::string_view text);
void parse_into(double& out, std::string_view policy, const OptionInfo& info,
                std::string_view text);
void parse_into(std::string& out, std::string_view policy, const OptionInfo& info,
                std::string_view text);
template <class T>
void parse_into(std::optional<T>& out, std::string_view policy, const OptionInfo& info,
                std::string_view text) {
  T value{};
  if (text != "auto") parse_into(value, policy, info, text);
  out = text == "auto" ? std::nullopt : std::optional<T>(value);
}
std::string range_text(const OptionInfo& info);
[[noreturn]] void unknown_option(std::string_view policy, std::string_view name,
                                 const std::vector<std::string>& known);
}  // namespace detail

/// Every option of `options` with its current value, in the order of `visit`. Types: bool,
/// std::int64_t, double, std::string, and std::optional of a number.
template <class Options>
std::vector<OptionValue> list_options(const Options& options) {
  std::vector<OptionValue> out;
  Options::visit(options, [&](const auto& value, const OptionInfo& info) {
    out.push_back({std::string(info.name), detail::to_text(value), std::string(info.help),
                   detail::range_text(info)});
  });
  return out;
}

/// Sets the option `name` of `policy` from text. Errors: UsageError for an unknown name, unreadable
/// text or a value out of range.
template <class Options>
void set_option(Options& options, std::string_view policy, std::string_view name,
                std::string_view text) {
  bool found = false;
  std::vector<std::string> known;
  Options::visit(options, [&](auto& value, const OptionInfo& info) {
    known.emplace_back(info.name);
    if (info.name != name) return;
    detail::parse_into(value, policy, info, text);
    found = true;
  });
  if (!found) detail::unknown_option(policy, name, known);
}

/// Checks ranges of values set in code. Errors: UsageError naming policy, option, value and range.
template <class Options>
void check_options(Options options, std::string_view policy) {
  Options::visit(options, [&](auto& value, const OptionInfo& info) {
    const auto text = detail::to_text(value);
    detail::parse_into(value, policy, info, text);
  });
}

}  // namespace seawall
