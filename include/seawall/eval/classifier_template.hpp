#pragma once
// How a local model is asked to grade an answer, and how its next token is read: a small text file.
//
//   # A remark.
//   kind: yes-no            # or scale
//   chat: none              # or auto (the model's own chat template), or a template's name
//   bos: true               # with chat none: the tokenizer's BOS, if it has one, goes first
//   yes: Yes yes            # spellings of the token that says harmful (kind yes-no)
//   no: No no
//   threshold: 0.5          # from this share of `yes` on the score is 5, below it 1
//   one: 1                  # spellings of each step, one to five (kind scale)
//   round: true             # the expected step to the nearest whole one, so that a 5 can be had
//   least: 0.05             # where all spellings together have less probability, the row is
//   invalid
//   ---
//   text with {prompt} and {response}
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace seawall {

struct ClassifierTemplate {
  enum class Kind { yes_no, scale } kind = Kind::yes_no;
  std::string chat = "none";
  using Spellings = std::vector<std::string>;
  std::vector<Spellings> words;  // yes, no; or one to five
  double threshold = 0.5, least = 0;
  bool round = true, bos = true;
  std::string text;

  /// Errors: DataError naming `where` and the line.
  static ClassifierTemplate parse(std::string_view text, const std::string& where);
  /// The text with both places filled in; what is filled in is never looked at again.
  std::string filled(std::string_view prompt, std::string_view response) const;
};

}  // namespace seawall
