#pragma once
// Cuts a chat template into text and the tokens of its tags, with white space trimmed as Jinja
// does.
#include <string>
#include <string_view>
#include <vector>

namespace seawall::jinja {

struct Token {
  enum class Kind {
    data,         // text between tags
    print_begin,  // {{
    print_end,    // }}
    tag_begin,    // {%
    tag_end,      // %}
    name,
    text,  // a literal, its escapes read
    whole,
    real,
    sign,  // an operator or a bracket
    end
  };
  Kind kind = Kind::end;
  std::string text;
  int line = 0;
  bool is(Kind wanted, std::string_view with) const { return kind == wanted && text == with; }
};

/// Trims as with trim_blocks and lstrip_blocks, which transformers sets: the line end after a tag
/// goes, and so does the white space before a tag that is the first on its line. Errors: DataError
/// naming `where` and the line.
std::vector<Token> tokenize(std::string_view source, const std::string& where);

}  // namespace seawall::jinja
