#pragma once
// Inside text/ only: what the named templates and their Jinja texts share.
#include <string_view>

#include "seawall/text/tokenizer.hpp"

namespace seawall {

inline constexpr std::string_view dolly_end = "### End";
// The text of the chat template in SmolLM2-135M-Instruct's own files.
inline constexpr std::string_view smollm2_system =
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face";
inline constexpr std::string_view headings_introduction =
    "Below is an instruction that describes a task. Write a response that appropriately completes "
    "the request.";

/// The control tokens at the ends of a text, which the tokenizer names.
struct Ends {
  std::string_view bos = "<s>", eos = "</s>";
  /// Whether a piece that some tokenizers have as control token and others as text is one.
  const Tokenizer* tokenizer = nullptr;
  bool has(std::string_view piece) const {
    return tokenizer != nullptr && tokenizer->id_of(piece).has_value();
  }
  /// Dolly's end: written where there is no tokenizer to ask.
  bool end_is_written() const { return tokenizer == nullptr || has(dolly_end); }
};
Ends ends_of(const Tokenizer& tokenizer);

}  // namespace seawall
