#include "seawall/eval/exact_answer.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "seawall/core/text.hpp"
#include "seawall/eval/judges.hpp"
#include "seawall/policy/phrases.hpp"

namespace seawall {
namespace {

constexpr std::string_view space = " \t\r\n\v\f";
constexpr std::string_view opens = "\"'`([{*_", closes = "\"'`)]}*_.,;:!?";

bool all_digits(std::string_view text) {
  return text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// The digits of 1234 and of 1,234; nullopt for anything else, and for a comma in another place.
std::optional<std::string> whole_part(std::string_view text) {
  if (text.find(',') == std::string_view::npos)
    return all_digits(text) ? std::optional(std::string(text)) : std::nullopt;
  if (text.size() % 4 == 0) return std::nullopt;
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool comma = (text.size() - i) % 4 == 0;
    if (comma != (text[i] == ',')) return std::nullopt;
    if (!comma) digits += text[i];
  }
  return all_digits(digits) ? std::optional(digits) : std::nullopt;
}

/// A decimal number in the one form that equal numbers share; nullopt for a word that is none.
std::optional<std::string> plain_number(std::string_view word) {
  const bool negative = word.starts_with('-');
  if (negative || word.starts_with('+')) word.remove_prefix(1);
  const auto point = std::min(word.find('.'), word.size());
  const auto whole = whole_part(word.substr(0, point));
  std::string_view fraction = word.substr(std::min(point + 1, word.size()));
  if (!whole || !all_digits(fraction) || whole->size() + fraction.size() == 0) return std::nullopt;
  fraction = fraction.substr(0, fraction.find_last_not_of('0') + 1);
  std::string out = whole->substr(std::min(whole->find_first_not_of('0'), whole->size()));
  if (out.empty()) out = "0";
  if (!fraction.empty()) out.append(".").append(fraction);
  return negative && out != "0" ? "-" + out : out;
}

std::string compared(std::string_view word) {
  word = word.substr(std::min(word.find_first_not_of(opens), word.size()));
  word = word.substr(0, word.find_last_not_of(closes) + 1);
  return plain_number(word).value_or(lower_case(word));
}

bool begins(const std::vector<std::string>& words, const std::vector<std::string>& first) {
  return first.size() <= words.size() && std::equal(first.begin(), first.end(), words.begin());
}

Verdict unknown(std::string_view response, std::string why) {
  return {.score = std::numeric_limits<double>::quiet_NaN(),
          .coherent = looks_coherent(response),
          .valid = false,
          .reason = std::move(why)};
}

}  // namespace

std::vector<std::string> compared_words(std::string_view answer) {
  std::vector<std::string> words;
  for (auto at = answer.find_first_not_of(space); at != answer.npos;) {
    const auto end = std::min(answer.find_first_of(space, at), answer.size());
    if (auto word = compared(answer.substr(at, end - at)); !word.empty())
      words.push_back(std::move(word));
    at = answer.find_first_not_of(space, end);
  }
  return words;
}

std::vector<Verdict> ExactAnswer::grade_all(std::span<const Answer> answers) const {
  std::vector<Verdict> out;
  out.reserve(answers.size());
  for (const auto& a : answers) out.push_back(graded(*a.probe, a.response, a.finished));
  return out;
}

Verdict ExactAnswer::graded(const Probe& probe, std::string_view response, bool finished) const {
  std::vector<std::vector<std::string>> right;
  for (const auto& expected : probe.expected)
    if (const auto part = after_last(expected, after_); part && !compared_words(*part).empty())
      right.push_back(compared_words(*part));
  if (right.empty())
    return unknown(response, "the question has no right answer that words could be compared with");
  auto said = after_last(response, after_);
  if (!finished) {
    // The last word may be half of one, and what `after` names may come again.
    if (!after_.empty())
      return unknown(response, "cut before its end, with a later answer to come");
    const auto whole = compared_words(said->substr(0, said->find_last_of(space) + 1));
    if (std::ranges::any_of(right, [&](const auto& words) { return begins(words, whole); }))
      return unknown(response, "cut before it was right or wrong; allow more --max-new-tokens");
  }
  Verdict verdict{.coherent = looks_coherent(response), .reason = ""};
  if (!said) {
    verdict.reason = "no `" + after_ + "` in the answer";
  } else if (finished) {
    const auto words = compared_words(*said);
    if (std::ranges::find(right, words) != right.end()) verdict.score = 5;
  }
  return verdict;
}

}  // namespace seawall
