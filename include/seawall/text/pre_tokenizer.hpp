#pragma once
// Cuts a text into the words that byte-pair merging never crosses: the published patterns, matched
// by hand.
#include <optional>
#include <string_view>

namespace seawall {

/// A pattern by name. The text is first cut at every digit where `single_digits`.
struct PreTokenizer {
  enum class Pattern { gpt2, llama3 };
  Pattern pattern = Pattern::gpt2;
  bool single_digits = false;
  int digits_together = 3;  // llama3 pattern: \p{N}{1,digits_together}

  /// Names as in `tokenizer.ggml.pre`: gpt-2, smollm, llama-bpe, qwen2.
  static std::optional<PreTokenizer> named(std::string_view name);

  /// Length of the first word of `text`. `text` is not empty; bytes that are not UTF-8 count as
  /// punctuation.
  std::size_t word_length(std::string_view text) const;
};

}  // namespace seawall
