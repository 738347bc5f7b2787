#pragma once
// Classes of characters as the regular expressions of Hugging Face tokenizers see them.
#include <cstdint>
#include <span>
#include <string_view>

namespace seawall {

// unicode_tables.cpp: first and last code points, in pairs.
std::span<const std::uint32_t> letter_ranges();
std::span<const std::uint32_t> number_ranges();
std::span<const std::uint32_t> more_digit_ranges();

/// \p{L}, \p{N}, \s, a number to Rust but not to \p{N}, or none of them.
enum class CharClass : std::uint8_t { other, letter, number, space, digit };

/// The class of every code point: 1.1 MB, made on first use.
const CharClass* char_classes();

struct DecodedChar {
  std::uint32_t c = 0;
  std::uint32_t length = 1;
  bool broken = false;  // a byte that is no UTF-8
};

/// The character at the start of `text`, which is not empty. ASCII is the caller's quick way.
inline DecodedChar decode_char(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])) : 0u;
  };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const auto a = byte(0);
  if (a < 0x80) return {a, 1};
  if (a >= 0xC2 && a < 0xE0 && tail(1)) return {(a & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if (a >= 0xE0 && a < 0xF0 && tail(1) && tail(2)) {
    const auto c = (a & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    if (c >= 0x800 && (c < 0xD800 || c >= 0xE000)) return {c, 3};
  }
  if (a >= 0xF0 && a < 0xF5 && tail(1) && tail(2) && tail(3)) {
    const auto c =
        (a & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
    if (c >= 0x10000 && c < 0x110000) return {c, 4};
  }
  return {a, 1, true};
}

}  // namespace seawall
