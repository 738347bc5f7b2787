#pragma once
// Finds control tokens and other added tokens in a text, leftmost and longest first, as Hugging
// Face does.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/text/tokenizer.hpp"

namespace seawall {

class AddedTokens {
 public:
  struct Token {
    std::string text;  // an empty one is left out
    std::int32_t id = 0;
    AddedFlags flags{};
  };
  AddedTokens() = default;
  explicit AddedTokens(std::vector<Token> tokens);
  bool empty() const { return tokens_.empty(); }

  /// The stretches of `text`, in order and never empty; bytes marked in `content` (as long as the
  /// text, or empty) are never part of a token, but may be white space that a token swallows.
  std::vector<TextPiece> cut(std::string_view text, std::string_view content = {}) const;

 private:
  const Token* match(std::string_view text, std::size_t at, std::string_view content) const;
  static bool stands_alone(const Token& token, std::string_view text, std::size_t at);

  std::vector<Token> tokens_;  // by first byte, longest first
  std::array<std::uint32_t, 257> begins_{};
  std::array<bool, 256> starts_{};
};

}  // namespace seawall
