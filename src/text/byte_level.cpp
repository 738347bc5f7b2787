#include "text/byte_level.hpp"

#include <array>
#include <cstdint>

#include "seawall/core/text.hpp"

namespace seawall {
namespace {

/// Source: GPT-2, bytes_to_unicode: printable Latin-1 stands for itself, the rest follows from
/// U+0100 on.
struct Alphabet {
  std::array<std::uint32_t, 256> of_byte{};
  std::array<int, 512> of_char{};
  Alphabet() {
    of_char.fill(-1);
    std::uint32_t next = 256;
    for (std::uint32_t b = 0; b < 256; ++b) {
      const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      of_byte[b] = printable ? b : next++;
      of_char[of_byte[b]] = static_cast<int>(b);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet table;
  return table;
}

/// Length of the longest start of `text` that some well-formed sequence begins with (at least 1).
std::size_t broken_length(std::string_view text) {
  // "\x80" .. "\xBF" complete any start that can still become well-formed.
  constexpr std::array<std::string_view, 4> tails{"\x80\x80", "\x90\x80", "\xA0\x80", "\xBF\xBF"};
  for (std::size_t length = 3; length > 1; --length) {
    if (text.size() < length) continue;
    const auto start = text.substr(0, length);
    for (const auto tail : tails) {
      for (std::size_t more = 1; more <= 2; ++more) {
        if (!find_invalid_utf8(std::string(start) + std::string(tail.substr(0, more))))
          return length;
      }
    }
  }
  return 1;
}

}  // namespace

std::optional<std::string> bytes_from_alphabet(std::string_view token) {
  std::string bytes;
  for (std::size_t i = 0; i < token.size();) {
    std::uint32_t c = static_cast<unsigned char>(token[i++]);
    if (c >= 0x80) {  // only two-byte characters are in the alphabet
      if (c < 0xC2 || c > 0xC7 || i == token.size()) return std::nullopt;
      const auto next = static_cast<unsigned char>(token[i++]);
      if ((next & 0xC0) != 0x80) return std::nullopt;
      c = (c & 0x1F) << 6 | (next & 0x3Fu);
    }
    const auto byte = alphabet().of_char[c];
    if (byte < 0) return std::nullopt;
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

std::string alphabet_from_byte(unsigned char byte) {
  const auto c = alphabet().of_byte[byte];
  if (c < 0x80) return std::string(1, static_cast<char>(c));
  return {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 0x3F))};
}

std::string repair_utf8(std::string bytes) {
  auto broken = find_invalid_utf8(bytes);
  if (!broken) return bytes;
  std::string out;
  std::string_view rest = bytes;
  while (broken) {
    out += rest.substr(0, *broken);
    out += "\uFFFD";
    rest.remove_prefix(*broken);
    rest.remove_prefix(broken_length(rest));
    broken = find_invalid_utf8(rest);
  }
  return out += rest;
}

}  // namespace seawall
