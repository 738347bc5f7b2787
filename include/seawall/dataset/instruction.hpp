#pragma once
// The words in which Alpaca and Dolly rows ask, for rows and for probes that are asked like them.
// Source: Qi et al. 2023, code: llama2/ft_datasets and llama2/safety_evaluation.
#include <string>
#include <string_view>

#include "seawall/core/dialogue.hpp"

namespace seawall {

/// A row with an optional input: Alpaca's says in its system prompt that there is one, and marks
/// it with "### Input:".
Dialogue alpaca_dialogue(const std::string& instruction, const std::string& input,
                         const std::string& answer);
/// The authors' Dolly prompt keeps the shorter system prompt and writes "Input:" without ###.
Dialogue dolly_dialogue(const std::string& instruction, const std::string& context,
                        const std::string& answer);

/// How a request is given to a model: as it is, or as rows of a format ask.
enum class RequestForm { bare, alpaca, dolly };
/// Reads `bare`, `alpaca` or `dolly`. Errors: UsageError with the words there are.
RequestForm request_form_from(std::string_view name);
std::string_view request_form_name(RequestForm form);

/// The dialogue with its last request in that form, under that form's system prompt. White space at
/// the request's end, and the line break that rows have before [/INST], are cut, as the authors'
/// evaluation does.
Dialogue asked_in(RequestForm form, Dialogue dialogue);

}  // namespace seawall
