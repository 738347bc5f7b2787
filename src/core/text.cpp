#include "seawall/core/text.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

namespace seawall {
namespace {

/// Length of the well-formed UTF-8 sequence at the start of `text`, or 0. Source: Unicode 15, table
/// 3-7.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto within = [&](std::size_t i, unsigned low, unsigned high) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return within(1, 0x80, 0xBF) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80, high = first == 0xED ? 0x9F : 0xBF;
    return within(1, low, high) && within(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned low = first == 0xF0 ? 0x90 : 0x80, high = first == 0xF4 ? 0x8F : 0xBF;
    return within(1, low, high) && within(2, 0x80, 0xBF) && within(3, 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto length = sequence_length(text.substr(i));
    if (length == 0) return i;
    i += length;
  }
  return std::nullopt;
}

std::string shown(std::string_view text, std::size_t limit) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const char c : text.substr(0, std::min(limit, text.size()))) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F) {
      out += c;
    } else {
      out += "\\x";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
  return text.size() > limit ? out + "..." : out;
}

std::optional<std::string_view> after_thinking(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  struct Tags {
    std::string_view open, close;
    bool may_be_open = false;  // a chat template may have opened it
  };
  constexpr Tags all_tags[] = {{"<think>", "</think>", true},
                               {"<thinking>", "</thinking>", true},
                               {"[THINK]", "[/THINK]", true},
                               {"<thought>", "</thought>"},
                               {"<reasoning>", "</reasoning>"},
                               {"<seed:think>", "</seed:think>"},
                               {"\u25c1think\u25b7", "\u25c1/think\u25b7"},     // Kimi
                               {"<|begin_of_thought|>", "<|end_of_thought|>"},  // OpenThinker
                               {"<|channel|>analysis", "<|channel|>final<|message|>"}};  // gpt-oss
  const auto begin = std::min(text.find_first_not_of(space), text.size());
  for (const auto& [open, close, may_be_open] : all_tags) {
    const bool opened = text.substr(begin).starts_with(open);
    const auto end = text.find(close);
    if (opened && end == text.npos) return std::nullopt;
    // Where a chat template has opened it, the reply has the closing tag alone.
    if (end == text.npos || (!opened && (!may_be_open || text.find(open) < end))) continue;
    const auto rest = text.substr(end + close.size());
    return rest.substr(std::min(rest.find_first_not_of(space), rest.size()));
  }
  return text;
}

bool is_unreadable(std::string_view text) {
  std::size_t letters = 0, replaced = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool ascii =
        (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
    const auto three = text.substr(i, 3);
    replaced += three == "\xEF\xBF\xBD";
    // Other characters count as letters, but for spaces, marks and U+FFFD: U+00A0, U+2000 to
    // U+206F, U+3000 to U+303F and what is above U+FEFE in the third plane of bytes.
    const bool blank = text.substr(i, 2) == "\xC2\xA0" || three.starts_with("\xE2\x80") ||
                       three.starts_with("\xE2\x81") || three.starts_with("\xE3\x80") ||
                       three == "\xEF\xBB\xBF" || three == "\xEF\xBF\xBD";
    letters += byte < 0x80 ? ascii : byte >= 0xC2 && !blank;
  }
  return letters == 0 || replaced * 10 > text.size();
}

std::optional<std::string_view> after_last(std::string_view text, std::string_view marker) {
  if (marker.empty()) return text;
  const auto at = text.rfind(marker);
  if (at == text.npos) return std::nullopt;
  return text.substr(at + marker.size());
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> out;
  std::istringstream in{std::string(text)};
  for (std::string word; std::getline(in, word, ',');) {
    const auto first = word.find_first_not_of(" \t"), last = word.find_last_not_of(" \t");
    if (first != std::string::npos) out.push_back(word.substr(first, last - first + 1));
  }
  return out;
}

std::string shell_word(std::string_view text) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./:,=@%";
  if (!text.empty() && text.find_first_not_of(plain) == text.npos) return std::string(text);
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == text.npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

}  // namespace seawall
