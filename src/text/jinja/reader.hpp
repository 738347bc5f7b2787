#pragma once
// The tokens of a chat template, read one by one by its parser.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"
#include "text/jinja/ast.hpp"
#include "text/jinja/lexer.hpp"

namespace seawall::jinja {

class Reader {
 public:
  using Kind = Token::Kind;
  Reader(std::string_view source, const std::string& where)
      : where_(where), tokens_(tokenize(source, where)) {}

  const Token& now() const { return tokens_[at_]; }
  const Token& next() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token take() {
    auto token = tokens_[at_];
    if (token.kind != Kind::end) ++at_;
    return token;
  }
  bool sign(std::string_view text) const { return now().is(Kind::sign, text); }
  bool word(std::string_view text) const { return now().is(Kind::name, text); }
  bool take_sign(std::string_view text) { return sign(text) && (take(), true); }
  bool take_word(std::string_view text) { return word(text) && (take(), true); }
  void want_sign(std::string_view text) {
    if (!take_sign(text)) fail("want '" + std::string(text) + "', found " + seen());
  }
  std::string want_name() {
    if (now().kind != Kind::name) fail("want a name, found " + seen());
    return take().text;
  }
  void want(Kind kind, const char* what) {
    if (now().kind != kind) fail(std::string("want ") + what + ", found " + seen());
    take();
  }
  std::string seen() const {
    switch (now().kind) {
      case Kind::end:
        return "the end of the template";
      case Kind::tag_end:
        return "'%}'";
      case Kind::print_end:
        return "'}}'";
      default:
        return "'" + shown(now().text, 40) + "'";
    }
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(where_ + ": line " + std::to_string(now().line) + ": " + what);
  }

 private:
  const std::string& where_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

/// An expression; with a comma, a tuple. Without `with_ternary` an `if` ends it.
ExprPtr parse_tuple(Reader& in, bool with_ternary = true);
ExprPtr parse_expression(Reader& in);

}  // namespace seawall::jinja
