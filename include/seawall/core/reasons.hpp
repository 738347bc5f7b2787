#pragma once
// What is to be said of an evaluation besides its shares: why rows have no verdict or no answer,
// and how answers were begun and drawn.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "seawall/core/trace.hpp"

namespace seawall {

/// The most frequent of several reasons. Reasons that differ in numbers, ids or what follows the
/// first line alone are one; `text` is the first of them, on one line.
struct CommonReason {
  std::string text;
  std::int64_t count = 0;  // that say so
  std::int64_t all = 0;    // reasons given
};
CommonReason common_reason(std::span<const std::string> reasons);
/// Of the rows that the judge could not grade.
CommonReason invalid_reason(const EvaluationRecord& record, std::size_t judge);
/// Of the rows without an answer.
CommonReason no_answer_reason(const EvaluationRecord& record);
/// Answers (to probes of `category`; "": all) that reached the length limit.
std::int64_t cut_answers(const EvaluationRecord& record, const std::string& category = "");
/// E.g. `drawn at temperature 0.7, top-p 0.9, 5 per probe; begun with "Sure"`; empty for greedy
/// answers that nothing begins.
std::string decoding_text(const Decoding& decoding);

}  // namespace seawall
