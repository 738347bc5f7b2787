#pragma once
// Text into well-formed markup: the page is read by XML parsers and browsers alike.
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/eval/statistics.hpp"

namespace seawall::report {

/// Text as markup shows it: `& < > " '` as entities, control characters as their pictures (U+2400
/// on), bytes that are no UTF-8 as U+FFFD. Newlines and tabs stay.
std::string escape(std::string_view text);

using Attributes = std::initializer_list<std::pair<std::string_view, std::string_view>>;
/// `<name attribute="value">markup</name>`; attribute values are escaped here, `markup` is taken as
/// it is.
std::string tag(std::string_view name, Attributes attributes, std::string_view markup);
std::string tag(std::string_view name, std::string_view markup);

/// A word that may stand as an `id`, made from any text: lower case, `-` for what is neither letter
/// nor digit.
std::string slug(std::string_view text);

/// A figure with so many digits; "–" for NaN; a minus is U+2212.
std::string number(double value, int digits);
/// A share as percent with one digit.
std::string percent(double share);
/// `[lo, hi]` in percent.
std::string percent_interval(const Estimate& e);
/// A count with thin spaces between thousands.
std::string count(double value);
/// A p-value as people write it: `p = 0.03`, `p < 0.001`.
std::string p_value(double p);
/// "a", "a and b", "a, b and c".
std::string listed(const std::vector<std::string>& words);

}  // namespace seawall::report
