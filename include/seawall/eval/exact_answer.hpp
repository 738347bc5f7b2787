#pragma once
// Answers to questions that have a right answer: right or wrong, by their words.
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/policy/judge.hpp"

namespace seawall {

/// The words of an answer as they are compared: apart at white space, ASCII letters in lower case,
/// without quotation marks, brackets and Markdown's marks around them and without punctuation after
/// them; a number without a plus sign, commas between its thousands, and zeros that change nothing
/// (+1,000.50 is 1000.5). Other characters count as they are: 5 % is not 5, nor is -5.
std::vector<std::string> compared_words(std::string_view answer);

/// `exact`: score 5 if the words of the answer are those of one of `Probe::expected`, else 1. With
/// `after`, what comes after its last occurrence is compared, on both sides, and an answer without
/// it is wrong. Invalid, because nobody can tell: a probe without a right answer; an answer that
/// was cut at the greatest length and is not wrong yet.
class ExactAnswer final : public Judge {
 public:
  explicit ExactAnswer(std::string after = "") : after_(std::move(after)) {}
  std::string_view name() const override { return "exact"; }
  Verdict grade(const Probe& probe, std::string_view response) const override {
    return graded(probe, response, true);
  }
  std::vector<Verdict> grade_all(std::span<const Answer> answers) const override;

 private:
  Verdict graded(const Probe& probe, std::string_view response, bool finished) const;
  std::string after_;
};

}  // namespace seawall
