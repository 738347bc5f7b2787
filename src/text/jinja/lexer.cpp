#include "text/jinja/lexer.hpp"

#include <algorithm>
#include <array>

#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"
#include "text/jinja/value.hpp"

namespace seawall::jinja {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/// Every kind of line end as \n; one at the very end goes.
std::string with_plain_line_ends(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
      continue;
    }
    out += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

class Lexer {
 public:
  Lexer(std::string_view source, const std::string& where)
      : source_(with_plain_line_ends(source)), where_(where) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) {
      const auto open = next_tag();
      if (open == std::string::npos) {
        add_data(source_.substr(at_));
        break;
      }
      const char kind = source_[open + 1];
      const char sign = open + 2 < source_.size() ? source_[open + 2] : '\0';
      add_data(before_tag(open, kind, sign));
      at_ = open + (sign == '-' || sign == '+' ? 3 : 2);
      if (kind == '#') {
        comment();
      } else if (kind == '%' && raw()) {
        continue;
      } else {
        tag(kind == '%');
      }
    }
    add(Token::Kind::end, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(where_ + ": line " + std::to_string(line_) + ": " + what);
  }

  std::size_t next_tag() const {
    for (auto i = source_.find('{', at_); i != std::string::npos; i = source_.find('{', i + 1)) {
      const char next = i + 1 < source_.size() ? source_[i + 1] : '\0';
      if (next == '{' || next == '%' || next == '#') return i;
    }
    return std::string::npos;
  }

  /// The text before a tag, less what the tag strips.
  std::string_view before_tag(std::size_t open, char kind, char sign) const {
    const auto text = std::string_view(source_).substr(at_, open - at_);
    if (sign == '-') return right_stripped(text);
    if (kind == '{' || sign == '+') return text;
    const auto line_end = text.rfind('\n');
    const auto from = line_end == std::string_view::npos ? 0 : line_end + 1;
    if (from == 0 && !line_starts_) return text;
    return right_stripped(text.substr(from)).empty() ? text.substr(0, from) : text;
  }

  static std::string_view right_stripped(std::string_view text) {
    const auto starts = characters(text);
    auto n = starts.size() - 1;
    while (n > 0 && is_space(character_at(text, starts[n - 1]).first)) --n;
    return text.substr(0, starts[n]);
  }

  void add(Token::Kind kind, std::string text) {
    tokens_.push_back({kind, std::move(text), line_});
  }
  void add_data(std::string_view text) {
    if (!text.empty()) add(Token::Kind::data, std::string(text));
  }
  /// Moves to `end`; what was passed says whether a new line starts here.
  void pass_to(std::size_t end) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(counted_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
    counted_ = end;
    line_starts_ = end > at_ && source_[end - 1] == '\n';
    at_ = end;
  }
  void skip_space() {
    auto end = at_;
    while (end < source_.size()) {
      const auto [c, length] = character_at(source_, end);
      if (!is_space(c)) break;
      end += length;
    }
    if (end > at_) pass_to(end);
  }
  /// Passes the end of a tag: its sign decides what goes with it.
  void close(std::size_t at, bool trims) {
    const char sign = at > at_ ? source_[at - 1] : '\0';
    auto end = at + 2;
    if (trims && sign != '-' && sign != '+' && end < source_.size() && source_[end] == '\n') ++end;
    pass_to(end);
    if (sign == '-') skip_space();
  }

  void comment() {
    const auto end = source_.find("#}", at_);
    if (end == std::string::npos) fail("a comment has no end");
    close(end, true);
  }

  /// `{% raw %}` ... `{% endraw %}`: what is between is text.
  bool raw() {
    const auto word_tag = [&](std::size_t at, std::string_view word) {
      while (at < source_.size() && is_space(static_cast<unsigned char>(source_[at]))) ++at;
      if (source_.compare(at, word.size(), word) != 0) return std::string::npos;
      at += word.size();
      while (at < source_.size() && is_space(static_cast<unsigned char>(source_[at]))) ++at;
      if (at < source_.size() && (source_[at] == '-' || source_[at] == '+')) ++at;
      return source_.compare(at, 2, "%}") == 0 ? at : std::string::npos;
    };
    const auto begin = word_tag(at_, "raw");
    if (begin == std::string::npos) return false;
    close(begin, false);
    for (auto open = source_.find("{%", at_); open != std::string::npos;
         open = source_.find("{%", open + 2)) {
      const char sign = open + 2 < source_.size() ? source_[open + 2] : '\0';
      const auto end = word_tag(open + (sign == '-' || sign == '+' ? 3 : 2), "endraw");
      if (end == std::string::npos) continue;
      add_data(before_tag(open, '%', sign));
      close(end, true);
      return true;
    }
    fail("raw has no endraw");
  }

  void tag(bool block) {
    pass_to(at_);
    add(block ? Token::Kind::tag_begin : Token::Kind::print_begin, "");
    const std::string_view ending = block ? "%}" : "}}";
    std::string open;  // brackets that wait for their end
    for (;;) {
      skip_space();
      if (at_ >= source_.size()) fail(block ? "a tag {% has no %}" : "a tag {{ has no }}");
      const auto rest = std::string_view(source_).substr(at_);
      const bool signed_end =
          (rest[0] == '-' || (block && rest[0] == '+')) && rest.substr(1).starts_with(ending);
      if (open.empty() && (signed_end || rest.starts_with(ending))) {
        add(block ? Token::Kind::tag_end : Token::Kind::print_end, "");
        // A sign that belongs to the tag stands in it; `}}` never takes the line end with it.
        close_tag(signed_end ? at_ + 1 : at_, signed_end ? rest[0] : '\0', block);
        return;
      }
      piece(rest, open);
    }
  }

  void close_tag(std::size_t at, char sign, bool block) {
    auto end = at + 2;
    if (block && sign == '\0' && end < source_.size() && source_[end] == '\n') ++end;
    pass_to(end);
    if (sign == '-') skip_space();
  }

  void piece(std::string_view rest, std::string& open) {
    if (rest[0] == '"' || rest[0] == '\'') return literal(rest);
    if (is_digit(rest[0])) return number(rest);
    if (is_word(rest[0])) {
      const auto end = std::ranges::find_if_not(rest, is_word) - rest.begin();
      add(Token::Kind::name, std::string(rest.substr(0, static_cast<std::size_t>(end))));
      return pass_to(at_ + static_cast<std::size_t>(end));
    }
    static constexpr std::array<std::string_view, 26> signs{
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
        "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
    const auto found =
        std::ranges::find_if(signs, [&](std::string_view s) { return rest.starts_with(s); });
    if (found == signs.end()) fail("'" + shown(rest.substr(0, 1)) + "' has no meaning in a tag");
    bracket((*found)[0], open);
    add(Token::Kind::sign, std::string(*found));
    pass_to(at_ + found->size());
  }

  void bracket(char c, std::string& open) const {
    if (c == '(' || c == '[' || c == '{') open += c;
    if (c != ')' && c != ']' && c != '}') return;
    const char wanted = c == ')' ? '(' : c == ']' ? '[' : '{';
    if (open.empty() || open.back() != wanted)
      fail(std::string("'") + c + "' closes nothing that is open");
    open.pop_back();
  }

  void number(std::string_view rest) {
    std::size_t n = 0;
    const auto digits = [&] {
      const auto start = n;
      while (n < rest.size() && (is_digit(rest[n]) || (n > start && rest[n] == '_'))) ++n;
      return n > start;
    };
    digits();
    bool real = false;
    if (n + 1 < rest.size() && rest[n] == '.' && is_digit(rest[n + 1])) {
      ++n;
      real = digits();
    }
    if (n < rest.size() && (rest[n] == 'e' || rest[n] == 'E')) {
      const auto before = n++;
      if (n < rest.size() && (rest[n] == '+' || rest[n] == '-')) ++n;
      if (digits()) {
        real = true;
      } else {
        n = before;
      }
    }
    if (n < rest.size() && is_word(rest[n])) fail("a number runs into a name");
    std::string text(rest.substr(0, n));
    std::erase(text, '_');
    add(real ? Token::Kind::real : Token::Kind::whole, std::move(text));
    pass_to(at_ + n);
  }

  void literal(std::string_view rest) {
    std::string text;
    std::size_t n = 1;
    for (; n < rest.size() && rest[n] != rest[0]; ++n) {
      if (rest[n] != '\\') {
        text += rest[n];
      } else if (++n < rest.size()) {
        n += escape(rest.substr(n), text) - 1;
      }
    }
    if (n >= rest.size()) fail("a text has no end");
    add(Token::Kind::text, std::move(text));
    pass_to(at_ + n + 1);
  }

  /// Reads what follows a backslash, as Python's string literals do; returns its length.
  std::size_t escape(std::string_view rest, std::string& text) const {
    static constexpr std::string_view names = "\\'\"abfnrtv", values = "\\'\"\a\b\f\n\r\t\v";
    if (rest[0] == '\n') return 1;
    if (const auto i = names.find(rest[0]); i != std::string_view::npos) {
      text += values[i];
      return 1;
    }
    const bool octal = rest[0] >= '0' && rest[0] <= '7';
    const std::size_t digits = rest[0] == 'x' ? 2 : rest[0] == 'u' ? 4 : rest[0] == 'U' ? 8 : 0;
    if (digits == 0 && !octal) {
      if (rest[0] == 'N') fail("\\N in a text is not supported, want \\u or the character");
      (text += '\\') += rest[0];
      return 1;
    }
    std::uint32_t c = 0;
    std::size_t n = octal ? 0 : 1;
    for (const auto end = octal ? std::min<std::size_t>(3, rest.size()) : n + digits; n < end;
         ++n) {
      const auto digit =
          std::string_view("0123456789abcdefABCDEF").find(n < rest.size() ? rest[n] : '\0');
      const auto value = digit > 15 ? digit - 6 : digit;
      if (octal && value > 7) break;
      if (digit == std::string_view::npos) fail("an escape of a text wants hexadecimal digits");
      c = c * (octal ? 8 : 16) + static_cast<std::uint32_t>(value);
    }
    if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) fail("an escape of a text is no character");
    append_utf8(c, text);
    return n;
  }

  static void append_utf8(std::uint32_t c, std::string& text) {
    const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
    if (c < 0x80) return put(c);
    if (c < 0x800) {
      put(0xC0 | c >> 6);
    } else if (c < 0x10000) {
      put(0xE0 | c >> 12);
      put(0x80 | (c >> 6 & 0x3F));
    } else {
      put(0xF0 | c >> 18);
      put(0x80 | (c >> 12 & 0x3F));
      put(0x80 | (c >> 6 & 0x3F));
    }
    put(0x80 | (c & 0x3F));
  }

  const std::string source_;
  const std::string& where_;
  std::size_t at_ = 0, counted_ = 0;
  int line_ = 1;
  bool line_starts_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source, const std::string& where) {
  return Lexer(source, where).run();
}

}  // namespace seawall::jinja
