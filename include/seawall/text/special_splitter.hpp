#pragma once
// Cuts a text at control tokens, the longest match first, as transformers does.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/text/tokenizer.hpp"

namespace seawall {

class SpecialSplitter {
 public:
  SpecialSplitter() = default;
  /// Names with their ids; empty names are left out.
  explicit SpecialSplitter(std::vector<std::pair<std::string, std::int32_t>> names);

  /// The stretches of `text`; bytes marked in `content` (as long as the text, or empty) stay text.
  std::vector<TextPiece> cut(std::string_view text, std::string_view content) const;

  /// Calls `on_text` for each run between control tokens (never empty) and `on_special` for each
  /// control token, in order.
  template <class OnText, class OnSpecial>
  void split(std::string_view text, OnText&& on_text, OnSpecial&& on_special) const {
    std::size_t start = 0;
    for (std::size_t i = 0; i < text.size();) {
      const auto* match = match_at(text.substr(i));
      if (match == nullptr) {
        ++i;
        continue;
      }
      if (i > start) on_text(text.substr(start, i - start));
      on_special(match->second);
      i += match->first.size();
      start = i;
    }
    if (start < text.size()) on_text(text.substr(start));
  }

 private:
  const std::pair<std::string, std::int32_t>* match_at(std::string_view text) const {
    const auto first = static_cast<unsigned char>(text.front());
    for (auto i = begins_[first]; i < begins_[first + 1]; ++i) {
      if (text.starts_with(names_[i].first)) return &names_[i];
    }
    return nullptr;
  }

  std::vector<std::pair<std::string, std::int32_t>> names_;  // by first byte, longest first
  std::array<std::size_t, 257> begins_{};
};

}  // namespace seawall
