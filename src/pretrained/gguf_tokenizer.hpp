#pragma once
// The tokenizer in a GGUF file's metadata.
#include <memory>

#include "seawall/model/files.hpp"
#include "seawall/text/tokenizer.hpp"

namespace seawall {

/// `tokenizer.ggml.model` gpt2 (byte-level BPE, split as `tokenizer.ggml.pre` says) or llama
/// (SentencePiece). `pre`: the name of the splitting in place of the file's; empty: the file's.
/// Errors: DataError naming the file and the key, token or merge; for a splitting that is missing,
/// `default` or not known, with the names that are.
std::unique_ptr<Tokenizer> gguf_tokenizer(const GgufFile& gguf, const std::string& pre = "");

}  // namespace seawall
