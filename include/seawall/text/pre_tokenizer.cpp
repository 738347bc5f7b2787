#include "seawall/text/pre_tokenizer.hpp"

#include <utf8proc.h>

#include <array>
#include <cstdint>

namespace seawall {
namespace {

enum class Kind : std::uint8_t { other, letter, number, space };

/// Unicode's White_Space property: what \s matches in the regular expressions that trained these
/// tokenizers.
bool is_white_space(std::int32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

Kind kind_of(std::int32_t c) {
  if (is_white_space(c)) return Kind::space;
  switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return Kind::letter;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return Kind::number;
    default:
      return Kind::other;
  }
}

const std::array<Kind, 128>& ascii_kinds() {
  static const auto table = [] {
    std::array<Kind, 128> kinds{};
    for (std::int32_t c = 0; c < 128; ++c) kinds[static_cast<std::size_t>(c)] = kind_of(c);
    return kinds;
  }();
  return table;
}

struct Char {
  Kind kind = Kind::other;
  std::size_t length = 0;  // 0 at the end of the text
};

/// A text with the character classes of the patterns.
class Chars {
 public:
  /// Where `numbers_end`, a number is the end of the text.
  Chars(std::string_view text, bool numbers_end)
      : text_(text), ascii_(ascii_kinds()), numbers_end_(numbers_end) {}

  Char at(std::size_t i) const {
    if (i >= text_.size()) return {};
    const auto found = read(i);
    return numbers_end_ && found.kind == Kind::number ? Char{} : found;
  }
  /// End of the run of `kind` that starts at `i`, at most `most` characters long.
  std::size_t run(std::size_t i, Kind kind, int most = -1) const {
    for (auto c = at(i); c.length > 0 && c.kind == kind && most != 0; c = at(i), --most) {
      i += c.length;
    }
    return i;
  }
  bool newline(std::size_t i) const {
    return i < text_.size() && (text_[i] == '\n' || text_[i] == '\r');
  }
  std::string_view text() const { return text_; }

 private:
  Char read(std::size_t i) const {
    const auto byte = static_cast<unsigned char>(text_[i]);
    if (byte < 0x80) return {ascii_[byte], 1};
    std::int32_t c = 0;
    const auto length = utf8proc_iterate(reinterpret_cast<const std::uint8_t*>(text_.data()) + i,
                                         static_cast<utf8proc_ssize_t>(text_.size() - i), &c);
    if (length <= 0) return {Kind::other, 1};
    return {kind_of(c), static_cast<std::size_t>(length)};
  }

  std::string_view text_;
  const std::array<Kind, 128>& ascii_;
  bool numbers_end_;
};

/// Length of 's 't 're 've 'm 'll 'd at the start, or 0. Without regard to case, U+017F (long s)
/// folds to s.
std::size_t contraction(std::string_view text, bool any_case) {
  if (text.size() < 2 || text[0] != '\'') return 0;
  const auto letter = [&](std::size_t i) {
    const char c = i < text.size() ? text[i] : '\0';
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  const char a = letter(1), b = letter(2);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
  return any_case && text.substr(1).starts_with("\u017F") ? 3 : 0;
}

/// `\s+(?!\S)|\s+` at the start of a run of white space: the last character stays with the word
/// that follows.
std::size_t white_space(const Chars& chars) {
  std::size_t end = 0, last = 0;
  for (auto c = chars.at(0); c.length > 0 && c.kind == Kind::space; c = chars.at(end)) {
    last = end;
    end += c.length;
  }
  return chars.at(end).length == 0 || last == 0 ? end : last;
}

/// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
std::size_t gpt2_word(const Chars& chars) {
  if (const auto length = contraction(chars.text(), false)) return length;
  const std::size_t start = chars.text()[0] == ' ' ? 1 : 0;
  const auto first = chars.at(start);
  if (first.length > 0 && first.kind != Kind::space) return chars.run(start, first.kind);
  return white_space(chars);
}

/// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
/// ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
std::size_t llama3_word(const Chars& chars, int digits) {
  if (const auto length = contraction(chars.text(), true)) return length;
  const auto first = chars.at(0);
  if (first.kind == Kind::letter) return chars.run(0, Kind::letter);
  if (first.kind == Kind::number) return chars.run(0, Kind::number, digits);
  const auto second = chars.at(first.length);
  if (!chars.newline(0) && second.length > 0 && second.kind == Kind::letter) {
    return chars.run(first.length, Kind::letter);
  }
  const std::size_t start = chars.text()[0] == ' ' ? 1 : 0;
  if (chars.at(start).length > 0 && chars.at(start).kind == Kind::other) {
    auto end = chars.run(start, Kind::other);
    while (chars.newline(end)) ++end;
    return end;
  }
  const auto space_end = chars.run(0, Kind::space);
  for (auto end = space_end; end > 0; --end) {
    if (chars.newline(end - 1)) return end;
  }
  return white_space(chars);
}

}  // namespace

std::optional<PreTokenizer> PreTokenizer::named(std::string_view name) {
  if (name == "gpt-2" || name == "gpt2" || name == "default") return PreTokenizer{};
  if (name == "smollm") return PreTokenizer{.single_digits = true};
  if (name == "llama-bpe" || name == "llama3") return PreTokenizer{.pattern = Pattern::llama3};
  if (name == "qwen2") return PreTokenizer{.pattern = Pattern::llama3, .digits_together = 1};
  return std::nullopt;
}

std::size_t PreTokenizer::word_length(std::string_view text) const {
  const Chars all(text, false);
  if (single_digits && all.at(0).kind == Kind::number) return all.at(0).length;
  if (pattern == Pattern::llama3) return llama3_word(all, digits_together);
  return gpt2_word(single_digits ? Chars(text, true) : all);
}

}  // namespace seawall
