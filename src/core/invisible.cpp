#include "seawall/core/invisible.hpp"

#include <algorithm>

namespace seawall {

bool is_invisible(std::string_view text) {
  constexpr std::string_view one = " \t\r\n\v\f", two = "\xC2\xA0";
  constexpr std::string_view three[] = {"\xE2\x80", "\xE2\x81", "\xE3\x80\x80", "\xEF\xBB\xBF"};
  while (!text.empty()) {
    const auto same = [&](std::string_view part) { return text.starts_with(part); };
    // U+2000 to U+206F are spaces and marks without a letter among them; of these, dashes, quotes
    // and dots can be seen: U+2010 to U+2027 and U+2030 to U+205E.
    const auto third = text.size() > 2 ? static_cast<unsigned char>(text[2]) : 0U;
    const bool seen = (same(three[0]) && ((third >= 0x90 && third <= 0xA7) || third >= 0xB0)) ||
                      (same(three[1]) && third <= 0x9E);
    if (one.find(text[0]) != one.npos)
      text.remove_prefix(1);
    else if (same(two))
      text.remove_prefix(2);
    else if (text.size() > 2 && !seen && std::ranges::any_of(three, same))
      text.remove_prefix(3);
    else
      return false;
  }
  return true;
}

}  // namespace seawall
