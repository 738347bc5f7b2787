#pragma once
// Small checks on text that came from outside.
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace seawall {

/// Offset of the first byte that is not well-formed UTF-8 (surrogates and over-long forms
/// included), or nullopt.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);

/// `text` for an error message: one line, control and non-ASCII bytes escaped, cut after `limit`
/// bytes.
std::string shown(std::string_view text, std::size_t limit = 100);

}  // namespace seawall
