#pragma once
// What both ways to generate, in batches and in slots, do with one answer.
#include <cstdint>
#include <vector>

#include "seawall/model/generate.hpp"

namespace seawall {

/// New tokens that the answer to a prompt of so many tokens may have.
std::int64_t room_of(const Decoder& decoder, const GenerateOptions& options, std::size_t prompt);

/// Appends the next token unless it is a stop id. Returns whether the answer is over.
bool take_token(const GenerateOptions& options, const std::vector<std::int32_t>& prompt,
                std::int64_t room, Generation& answer, std::int32_t id);

/// Says what made the outputs not finite. `which`: the prompt, as the error names it.
[[noreturn]] void throw_not_finite(const Decoder& decoder, const GenerateOptions& options,
                                   const std::vector<std::int32_t>& prompt,
                                   const Generation& answer, const std::string& which);

/// Joins the kept streams of an answer's tokens. Shapes: [K,C] each -> [n,K,C] fp32 on the CPU.
Tensor joined_streams(const std::vector<Tensor>& streams, const Decoder& decoder,
                      const GenerateOptions& options);

}  // namespace seawall
