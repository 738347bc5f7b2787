#pragma once
// Small tokenizers built in memory.

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "seawall/core/error.hpp"
#include "seawall/text/tokenizer.hpp"
#include "tests/support/files.hpp"
#include "text/byte_level.hpp"

namespace seawall::testing {

// Protobuf wire format, as SentencePiece writes it.
inline std::string varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}
inline std::string number_field(int number, std::uint64_t value) {
  return varint(static_cast<std::uint64_t>(number) << 3) + varint(value);
}
inline std::string bytes_field(int number, const std::string& bytes) {
  return varint(static_cast<std::uint64_t>(number) << 3 | 2) + varint(bytes.size()) + bytes;
}
inline std::string float_field(int number, float value) {
  std::string out = varint(static_cast<std::uint64_t>(number) << 3 | 5);
  const auto bits = std::bit_cast<std::uint32_t>(value);
  for (int i = 0; i < 4; ++i) out += static_cast<char>(bits >> (8 * i));
  return out;
}
inline std::string piece(const std::string& text, float score, int type) {
  return bytes_field(1, bytes_field(1, text) + float_field(2, score) + number_field(3, type));
}

/// A byte-pair SentencePiece model: <unk> <s> </s>, the three chat pieces, 256 bytes, letters, and
/// the pieces of "▁hello", "▁the" and "▁a". Ids: 0, 1, 2; 3 to 5; 6 to 261; then pieces.
inline std::string spm_model(const std::string& extra = "") {
  std::string model = piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3);
  for (const auto* name : {"<|system|>", "<|user|>", "<|assistant|>"}) model += piece(name, 0, 3);
  for (int byte = 0; byte < 256; ++byte) {
    const char* digits = "0123456789ABCDEF";
    model += piece(std::string("<0x") + digits[byte >> 4] + digits[byte & 15] + ">", 0, 6);
  }
  float score = -1;
  for (const auto* text : {"he", "ll", "hell", "hello", "▁hello", "▁t", "▁the", "▁a"}) {
    model += piece(text, score--, 1);
  }
  for (const auto* text : {"▁", "h", "e", "l", "o", "t", "a", "s", "u", "r", "<", ">", "/", "|"}) {
    model += piece(text, score--, 1);
  }
  model += bytes_field(2, number_field(3, 2) + number_field(35, 1));  // byte-pair, byte fallback
  return model + bytes_field(3, number_field(4, 0)) + extra;          // spaces are kept
}

/// A byte-level tokenizer: 256 bytes (ids 0 to 255), merges for " hello", control tokens at the
/// end.
inline BpeSpec bpe_spec() {
  BpeSpec spec;
  for (int byte = 0; byte < 256; ++byte) {
    spec.tokens.push_back(alphabet_from_byte(static_cast<unsigned char>(byte)));
  }
  for (const auto* merge : {"h e", "l l", "he ll", "hell o", "Ġ hello", "Ġ Ġ", "Ċ Ċ"}) {
    std::string token = merge;
    token.erase(token.find(' '), 1);
    spec.tokens.push_back(token);
    spec.merges.emplace_back(merge);
  }
  for (const auto* name : {"<|im_start|>", "<|im_end|>", "<|im_end|>>"}) {
    spec.special_ids.push_back(static_cast<std::int32_t>(spec.tokens.size()));
    spec.tokens.emplace_back(name);
  }
  spec.pre_tokenizer = "smollm";
  spec.bos = spec.special_ids[0];
  spec.eos = spec.special_ids[1];
  return spec;
}

}  // namespace seawall::testing
