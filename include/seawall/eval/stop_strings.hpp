#pragma once
// The stop_strings of a generation_config.json.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "seawall/text/tokenizer.hpp"

namespace seawall {

/// True if the text of prompt and answer holds one of `stops` that ends within the answer's last
/// token, which may go on after it.
/// Source: transformers 5.23, generation/stopping_criteria.py, StopStringCriteria.
bool completes_stop_string(const Tokenizer& tokenizer, const std::vector<std::string>& stops,
                           std::span<const std::int32_t> prompt,
                           std::span<const std::int32_t> answer);

}  // namespace seawall
