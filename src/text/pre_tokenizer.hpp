#pragma once
// Cuts a text into the words that byte-pair merging never crosses: the published patterns, matched
// by hand.
#include <optional>
#include <string_view>

#include "text/unicode_classes.hpp"

namespace seawall {

/// A pattern by name. The text is first cut at every digit where `single_digits`.
struct PreTokenizer {
  /// words: cut before every U+2581; none: the whole text is a word.
  enum class Pattern { gpt2, llama3, words, none };
  Pattern pattern = Pattern::gpt2;
  bool single_digits = false;
  int digits_together = 3;  // llama3 pattern: \p{N}{1,digits_together}

  /// Names as in `tokenizer.ggml.pre`: gpt-2, smollm, llama-bpe, qwen2; and words, none.
  static std::optional<PreTokenizer> named(std::string_view name);

  /// Length of the first word of `text`. `text` is not empty; bytes that are not UTF-8 count as
  /// punctuation.
  std::size_t word_length(std::string_view text) const;

 private:
  const CharClass* classes_ = char_classes();
};

}  // namespace seawall
