#pragma once
// Lists of phrases, and where they are in a text.
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace seawall {

/// One phrase a line, empty lines left out. `option` begins the error. Errors: IoError where the
/// file cannot be read; DataError where no phrase is in it.
std::vector<std::string> read_phrases(const std::filesystem::path& file, std::string_view option);

/// ASCII letters in lower case; other bytes as they are.
std::string lower_case(std::string_view text);

/// Typographic apostrophes (U+2018, U+2019, U+02BC, U+FF07, U+0060, U+00B4) as the ASCII one.
std::string plain_apostrophes(std::string_view text);

/// The first of `phrases` that is in `text` as whole words, whatever the case of ASCII letters;
/// nullptr where none does. `lock` is not in `clock`.
const std::string* first_phrase(std::string_view text, const std::vector<std::string>& phrases);

}  // namespace seawall
