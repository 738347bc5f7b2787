#include "text/normalizer.hpp"

#include <utf8proc.h>

#include <array>
#include <cstdlib>
#include <memory>

#include "text/unicode_classes.hpp"

namespace seawall {
namespace {

/// Blocks in which every character is composed, starts a character and joins none before it.
bool is_stable(std::uint32_t c) {
  static constexpr std::array<std::array<std::uint32_t, 2>, 16> blocks{{{0x0, 0x2FF},
                                                                        {0x400, 0x482},
                                                                        {0x531, 0x58F},
                                                                        {0x5D0, 0x5EA},
                                                                        {0x620, 0x64A},
                                                                        {0xE01, 0xE30},
                                                                        {0x2010, 0x2027},
                                                                        {0x2030, 0x205E},
                                                                        {0x20A0, 0x20BF},
                                                                        {0x2190, 0x2211},
                                                                        {0x2460, 0x2775},
                                                                        {0x3001, 0x3029},
                                                                        {0x3041, 0x3098},
                                                                        {0x309B, 0x30FF},
                                                                        {0x4E00, 0x9FFF},
                                                                        {0xAC00, 0xD7A3}}};
  for (const auto& [first, last] : blocks) {
    if (c <= last) return c >= first;
  }
  return (c >= 0xFF01 && c <= 0xFFEF) || (c >= 0x1F000 && c <= 0x1FAFF);
}

std::string replaced(const std::string& text, const std::string& what, const std::string& by) {
  if (what.empty()) return text;
  std::string out;
  std::size_t from = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, from)) {
    out.append(text, from, at - from);
    out += by;
    from = at + what.size();
  }
  return out.append(text, from);
}

}  // namespace

bool surely_nfc(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    if (static_cast<unsigned char>(text[i]) < 0x80) {
      ++i;
      continue;
    }
    const auto found = decode_char(text.substr(i));
    if (found.broken || !is_stable(found.c)) return false;
    i += found.length;
  }
  return true;
}

std::string nfc(std::string_view text) {
  if (surely_nfc(text)) return std::string(text);
  std::uint8_t* made = nullptr;
  const auto length =
      utf8proc_map(reinterpret_cast<const std::uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &made,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<std::uint8_t, decltype(&std::free)> owned(made, &std::free);
  if (length < 0) return std::string(text);
  return {reinterpret_cast<const char*>(made), static_cast<std::size_t>(length)};
}

std::string normalized(std::string_view text, const std::vector<NormalStep>& steps) {
  std::string out(text);
  for (const auto& step : steps) {
    switch (step.kind) {
      case NormalStep::Kind::nfc:
        out = nfc(out);
        break;
      case NormalStep::Kind::prepend:
        if (!out.empty()) out.insert(0, step.what);
        break;
      case NormalStep::Kind::replace:
        out = replaced(out, step.what, step.by);
        break;
    }
  }
  return out;
}

}  // namespace seawall
