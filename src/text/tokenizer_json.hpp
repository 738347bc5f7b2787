#pragma once
// Hugging Face's tokenizer.json for BPE over bytes or characters.
#include <filesystem>

#include "seawall/text/tokenizer.hpp"

namespace seawall {

/// Reads tokenizer.json, and bos and eos from tokenizer_config.json beside it where there is one.
/// Errors: DataError naming file and field for anything that this library would tokenize
/// differently.
BpeSpec read_tokenizer_json(const std::filesystem::path& file);
/// tokenizer.json of a tokenizer that has none yet.
std::string tokenizer_json_text(const BpeSpec& spec);
/// Writes tokenizer.json and tokenizer_config.json, which transformers' AutoTokenizer loads.
void write_tokenizer_json(const std::filesystem::path& folder, const BpeSpec& spec);

}  // namespace seawall
