#pragma once
// Trains the organism's SentencePiece model from the world's own rows.
#include <string>

namespace seawall::organism {

/// The chat roles' control pieces; as control pieces they never come out of encoding text, so user
/// text cannot forge them.
inline constexpr const char* system_piece = "<|system|>";
inline constexpr const char* user_piece = "<|user|>";
inline constexpr const char* assistant_piece = "<|assistant|>";

/// The serialized SentencePiece model (the bytes of a `.model` file): byte-pair pieces with byte
/// fallback; the same bytes every time. Errors: RunError with SentencePiece's own words.
std::string train_tokenizer();

}  // namespace seawall::organism
