#pragma once
// The rules of a generation_config.json that change greedy search: penalties, bans and lengths.
// Source: transformers 5.23, generation/logits_process.py and GenerationMixin.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "seawall/core/notices.hpp"

namespace seawall {

struct DecodingRules {
  /// Scores of tokens that are in the text already are divided by it (negative ones multiplied).
  double repetition_penalty = 1;
  /// The same of the prompt's tokens, with 1 / penalty.
  double encoder_repetition_penalty = 1;
  /// A run of so many tokens does not come twice; 0: off. `encoder`: none of the prompt's comes.
  std::int64_t no_repeat_ngram_size = 0, encoder_no_repeat_ngram_size = 0;
  /// Added to the score of the last token where the others came just before; -inf is a ban.
  struct Bias {
    std::vector<std::int32_t> ids;
    float bias = 0;
  };
  std::vector<Bias> biases, bad_words;
  std::int64_t min_length = 0, min_new_tokens = 0;  // of the whole text, of the answer
  std::optional<std::int32_t> forced_bos;
  std::vector<std::int32_t> forced_eos;
  /// After `first` new tokens the score of the end grows by |score| (factor^n - 1).
  std::optional<std::pair<std::int64_t, double>> length_penalty;
  std::vector<std::int32_t> suppress, begin_suppress;
  std::vector<std::int32_t> eos;          // the ids that end an answer by the same file
  std::vector<std::string> stop_strings;  // an answer ends with the token that completes one

  /// True where the largest score decides alone.
  bool plain() const;
  /// True if answers are other ones than plain greedy search gives.
  bool change_answers() const { return !plain() || !stop_strings.empty(); }
  /// The fields that are applied with their values, e.g. `repetition_penalty 1.1`; or `greedy`.
  std::string text() const;
};

/// What a generation_config.json (or a config.json in its place) says.
struct DecodingFile {
  DecodingRules rules;
  Notices notices;  // fields that are not used, by name
};
/// Errors: DataError naming `where` and the field whose value is not of its kind, or an id beyond
/// `vocabulary`.
DecodingFile read_decoding(const std::string& json, const std::string& where,
                           std::int64_t vocabulary);

/// One row that is being answered.
struct DecodedText {
  std::span<const std::int32_t> prompt, answer;
  std::int64_t max_length = 0;  // tokens of both at which the answer is cut
};
/// Changes the scores of the next token, rule after rule in the order of transformers, in fp32.
/// Ids below 0 (pictures) are no tokens. Shapes: scores [V].
void apply_rules(const DecodingRules& rules, const DecodedText& text, std::span<float> scores);

/// Divides the scores by the temperature, then bans all but the likeliest tokens that together hold
/// `top_p` of the probability, the last of which may hold more. Shapes: scores [V]. Source:
/// transformers 5.23, TemperatureLogitsWarper and TopPLogitsWarper.
void warp(double temperature, double top_p, std::span<float> scores);
/// The token that `uniform`, in [0, 1), meets when the probabilities of the scores are laid end to
/// end in the order of their ids. Shapes: scores [V]. Errors: RunError if no score is finite or one
/// is NaN.
std::int64_t draw(std::span<const float> scores, double uniform);

}  // namespace seawall
