#include "text/unicode_classes.hpp"

#include <vector>

namespace seawall {
namespace {

std::vector<CharClass> make_classes() {
  std::vector<CharClass> classes(0x110000, CharClass::other);
  const auto fill = [&](std::span<const std::uint32_t> ranges, CharClass of) {
    for (std::size_t i = 0; i + 1 < ranges.size(); i += 2) {
      for (auto c = ranges[i]; c <= ranges[i + 1]; ++c) classes[c] = of;
    }
  };
  fill(letter_ranges(), CharClass::letter);
  fill(number_ranges(), CharClass::number);
  fill(more_digit_ranges(), CharClass::digit);
  // Unicode's White_Space property.
  constexpr std::uint32_t spaces[] = {0x09,   0x0D,   0x20,   0x20,   0x85,   0x85,   0xA0,
                                      0xA0,   0x1680, 0x1680, 0x2000, 0x200A, 0x2028, 0x2029,
                                      0x202F, 0x202F, 0x205F, 0x205F, 0x3000, 0x3000};
  fill(spaces, CharClass::space);
  return classes;
}

}  // namespace

const CharClass* char_classes() {
  static const auto classes = make_classes();
  return classes.data();
}

}  // namespace seawall
