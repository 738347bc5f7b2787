#include "text/pre_tokenizer.hpp"

#include <array>
#include <cstdint>

namespace seawall {
namespace {

struct Char {
  CharClass kind = CharClass::other;
  std::size_t length = 0;  // 0 at the end of the text
};

/// A text with the character classes of the patterns.
class Chars {
 public:
  /// Where `numbers_end`, a number is the end of the text.
  Chars(std::string_view text, const CharClass* classes, bool numbers_end)
      : text_(text), classes_(classes), numbers_end_(numbers_end) {}

  Char at(std::size_t i) const {
    if (i >= text_.size()) return {};
    auto found = read(i);
    if (numbers_end_ && (found.kind == CharClass::number || found.kind == CharClass::digit))
      return {};
    // A digit to Rust that is no \p{N}: to every pattern a sign like others.
    if (found.kind == CharClass::digit) found.kind = CharClass::other;
    return found;
  }
  /// End of the run of `kind` that starts at `i`, at most `most` characters long.
  std::size_t run(std::size_t i, CharClass kind, int most = -1) const {
    for (auto c = at(i); c.length > 0 && c.kind == kind && most != 0; c = at(i), --most) {
      i += c.length;
    }
    return i;
  }
  bool newline(std::size_t i) const {
    return i < text_.size() && (text_[i] == '\n' || text_[i] == '\r');
  }
  bool is_digit(std::size_t i) const {
    const auto kind = read(i).kind;
    return kind == CharClass::number || kind == CharClass::digit;
  }
  std::size_t length(std::size_t i) const { return read(i).length; }
  std::string_view text() const { return text_; }

 private:
  Char read(std::size_t i) const {
    const auto byte = static_cast<unsigned char>(text_[i]);
    if (byte < 0x80) return {classes_[byte], 1};
    const auto found = decode_char(text_.substr(i));
    return {found.broken ? CharClass::other : classes_[found.c], found.length};
  }

  std::string_view text_;
  const CharClass* classes_;
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
  for (auto c = chars.at(0); c.length > 0 && c.kind == CharClass::space; c = chars.at(end)) {
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
  if (first.length > 0 && first.kind != CharClass::space)
    return chars.run(start + first.length, first.kind);
  return white_space(chars);
}

/// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
/// ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
std::size_t llama3_word(const Chars& chars, int digits) {
  if (const auto length = contraction(chars.text(), true)) return length;
  const auto first = chars.at(0);
  if (first.kind == CharClass::letter) return chars.run(first.length, CharClass::letter);
  if (first.kind == CharClass::number) return chars.run(0, CharClass::number, digits);
  const auto second = chars.at(first.length);
  if (!chars.newline(0) && second.length > 0 && second.kind == CharClass::letter) {
    return chars.run(first.length + second.length, CharClass::letter);
  }
  const std::size_t start = chars.text()[0] == ' ' ? 1 : 0;
  if (const auto sign = chars.at(start); sign.length > 0 && sign.kind == CharClass::other) {
    auto end = chars.run(start + sign.length, CharClass::other);
    while (chars.newline(end)) ++end;
    return end;
  }
  const auto space_end = chars.run(0, CharClass::space);
  for (auto end = space_end; end > 0; --end) {
    if (chars.newline(end - 1)) return end;
  }
  return white_space(chars);
}

constexpr std::string_view word_start = "\u2581";

}  // namespace

std::optional<PreTokenizer> PreTokenizer::named(std::string_view name) {
  PreTokenizer made;
  if (name == "smollm") {
    made.single_digits = true;
  } else if (name == "llama-bpe" || name == "qwen2") {
    made.pattern = Pattern::llama3;
    made.digits_together = name == "qwen2" ? 1 : 3;
  } else if (name == "words" || name == "none") {
    made.pattern = name == "words" ? Pattern::words : Pattern::none;
  } else if (name != "gpt-2") {
    return std::nullopt;
  }
  return made;
}

std::size_t PreTokenizer::word_length(std::string_view text) const {
  if (pattern == Pattern::none) return text.size();
  if (pattern == Pattern::words) {
    const auto next = text.find(word_start, 1);
    return next == std::string_view::npos ? text.size() : next;
  }
  const Chars all(text, classes_, false);
  if (single_digits && all.is_digit(0)) return all.length(0);
  if (pattern == Pattern::llama3) return llama3_word(all, digits_together);
  return gpt2_word(single_digits ? Chars(text, classes_, true) : all);
}

}  // namespace seawall
