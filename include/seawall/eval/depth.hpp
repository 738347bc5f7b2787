#pragma once
// How deep alignment goes: what the weights of now and of the start make of every token of an
// answer. Source: Qi et al. 2024, "Safety alignment should be made more than just a few tokens
// deep", sec. 2.
#include "seawall/core/trace.hpp"
#include "seawall/model/decoder.hpp"

namespace seawall {

/// Prompt tokens, from the end, whose mean residual stream is kept.
inline constexpr std::int64_t depth_positions = 5;

/// Fills ProbeResult::start_logprob, kl_start and first_response_logprob, and
/// EvaluationRecord::mean_residual, by passes over prompts with their answers under both decoders
/// (of one vocabulary and device). `first`: the same evaluation before training, or null. Results
/// without an answer or with a picture stay as they are. Memory: activations of `rows` results at
/// once. Errors: those of Decoder::hidden.
void trace_depth(EvaluationRecord& record, const Decoder& now, const Decoder& start,
                 const EvaluationRecord* first, std::int64_t rows = 32);

}  // namespace seawall
