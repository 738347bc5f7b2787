#pragma once
// The tokenizer in a GGUF file's metadata.
#include <memory>

#include "seawall/model/files.hpp"
#include "seawall/text/tokenizer.hpp"

namespace seawall {

/// `tokenizer.ggml.model` gpt2 (byte-level BPE, split as `tokenizer.ggml.pre` says) or llama
/// (SentencePiece). Errors: DataError naming the file and the key, token or merge.
std::unique_ptr<Tokenizer> gguf_tokenizer(const GgufFile& gguf);

}  // namespace seawall
