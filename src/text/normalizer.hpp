#pragma once
// What tokenizers do to a text before they cut it.
#include <string>
#include <string_view>
#include <vector>

#include "seawall/text/tokenizer.hpp"

namespace seawall {

/// The text in Unicode's composed form (UAX 15); one that is not UTF-8 stays as it is.
std::string nfc(std::string_view text);
/// True where `nfc` would change nothing, by a quick look; false where that would take more.
bool surely_nfc(std::string_view text);

std::string normalized(std::string_view text, const std::vector<NormalStep>& steps);

}  // namespace seawall
