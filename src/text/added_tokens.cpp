#include "text/added_tokens.hpp"

#include <utf8proc.h>

#include <algorithm>

#include "text/unicode_classes.hpp"

namespace seawall {
namespace {

std::size_t last_start(std::string_view text, std::size_t end) {
  auto at = end - 1;
  while (at > 0 && end - at < 4 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

bool is_space_at(std::string_view text, std::size_t at) {
  const auto found = decode_char(text.substr(at));
  return !found.broken && char_classes()[found.c] == CharClass::space;
}

/// \w: letters, marks, decimal and letter numbers, connectors and joiners.
bool is_word_at(std::string_view text, std::size_t at) {
  const auto found = decode_char(text.substr(at));
  if (found.broken) return false;
  if (found.c == 0x200C || found.c == 0x200D) return true;
  switch (utf8proc_category(static_cast<std::int32_t>(found.c))) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return char_classes()[found.c] == CharClass::letter;
  }
}

}  // namespace

AddedTokens::AddedTokens(std::vector<Token> tokens) : tokens_(std::move(tokens)) {
  std::erase_if(tokens_, [](const Token& token) { return token.text.empty(); });
  const auto first = [](const Token& token) { return static_cast<unsigned char>(token.text[0]); };
  std::ranges::stable_sort(tokens_, [&](const Token& a, const Token& b) {
    return first(a) != first(b) ? first(a) < first(b) : a.text.size() > b.text.size();
  });
  for (const auto& token : tokens_) {
    ++begins_[first(token) + std::size_t{1}];
    starts_[first(token)] = true;
  }
  for (std::size_t i = 1; i < begins_.size(); ++i) begins_[i] += begins_[i - 1];
}

const AddedTokens::Token* AddedTokens::match(std::string_view text, std::size_t at,
                                             std::string_view content) const {
  const auto first = static_cast<unsigned char>(text[at]);
  for (auto i = begins_[first]; i < begins_[first + std::size_t{1}]; ++i) {
    const auto& token = tokens_[i];
    if (text.compare(at, token.text.size(), token.text) != 0) continue;
    const auto marks = content.substr(std::min(at, content.size()), token.text.size());
    if (marks.find_first_not_of('\0') == std::string_view::npos) return &token;
  }
  return nullptr;
}

bool AddedTokens::stands_alone(const Token& token, std::string_view text, std::size_t at) {
  const auto end = at + token.text.size();
  return (at == 0 || !is_word_at(text, last_start(text, at))) &&
         (end == text.size() || !is_word_at(text, end));
}

std::vector<TextPiece> AddedTokens::cut(std::string_view text, std::string_view content) const {
  std::vector<TextPiece> pieces;
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto* token =
        starts_[static_cast<unsigned char>(text[i])] ? match(text, i, content) : nullptr;
    if (token == nullptr) {
      ++i;
      continue;
    }
    auto begin = i, end = i + token->text.size();
    i = end;
    if (token->flags.single_word && !stands_alone(*token, text, begin)) continue;
    if (token->flags.lstrip) {
      while (begin > start && is_space_at(text, last_start(text, begin)))
        begin = last_start(text, begin);
      begin = std::max(begin, start);
    }
    if (token->flags.rstrip) {
      while (end < text.size() && is_space_at(text, end))
        end += decode_char(text.substr(end)).length;
    }
    if (begin > start) pieces.push_back({start, begin});
    pieces.push_back({begin, end, token->id});
    start = end;
  }
  if (start < text.size()) pieces.push_back({start, text.size()});
  return pieces;
}

}  // namespace seawall
