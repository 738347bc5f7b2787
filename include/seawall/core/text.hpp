#pragma once
// Small checks on text that came from outside, and its parts.
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace seawall {

/// Offset of the first byte that is not well-formed UTF-8 (surrogates and over-long forms
/// included), or nullopt.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);

/// `text` for an error message: one line, control and non-ASCII bytes escaped, cut after `limit`
/// bytes.
std::string shown(std::string_view text, std::size_t limit = 100);

/// What a reply says after its thinking (`<think>...</think>` and the like at its beginning, the
/// opening tag left out or not); the whole text if it has none; nullopt if the thinking never ends.
std::optional<std::string_view> after_thinking(std::string_view text);

/// True for a text that says nothing a reader could take up: empty, no letter and no digit in it,
/// or more than a tenth of it U+FFFD.
bool is_unreadable(std::string_view text);

/// A word as a POSIX shell reads it back: as it is, or in single quotes.
std::string shell_word(std::string_view text);
/// A field of a CSV file (RFC 4180): in double quotes where it has to be.
std::string csv_field(std::string_view text);
/// What comes after the last `marker`, the whole text if the marker is empty; nullopt without one.
std::optional<std::string_view> after_last(std::string_view text, std::string_view marker);

/// Words of a comma-separated list, trimmed, without empty ones.
std::vector<std::string> split_list(std::string_view text);

}  // namespace seawall
