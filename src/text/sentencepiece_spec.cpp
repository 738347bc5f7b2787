// A SentencePiece model written from its pieces, so that one library tokenizes whatever the file.
// Field numbers: sentencepiece_model.proto.
#include <bit>
#include <cmath>

#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"
#include "seawall/text/tokenizer.hpp"

namespace seawall {
namespace {

class ProtoWriter {
 public:
  ProtoWriter& number(std::uint32_t field, std::uint64_t value) {
    return varint(std::uint64_t{field} << 3).varint(value);
  }
  ProtoWriter& real(std::uint32_t field, float value) {
    varint(std::uint64_t{field} << 3 | 5);
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) bytes_ += static_cast<char>(bits >> shift);
    return *this;
  }
  ProtoWriter& bytes(std::uint32_t field, const std::string& value) {
    varint(std::uint64_t{field} << 3 | 2).varint(value.size());
    bytes_ += value;
    return *this;
  }
  const std::string& done() const { return bytes_; }

 private:
  ProtoWriter& varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
    return *this;
  }
  std::string bytes_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_sentencepiece(const PieceSpec& spec, const std::string& where) {
  const auto size = spec.tokens.size();
  if (spec.scores.size() != size || spec.types.size() != size) {
    throw DataError(where + ": " + std::to_string(size) + " tokens, " +
                    std::to_string(spec.scores.size()) + " scores and " +
                    std::to_string(spec.types.size()) + " token types; want as many of each");
  }
  const auto token = [&](std::int32_t id, const char* what) {
    if (id < 0 || static_cast<std::size_t>(id) >= size) {
      throw DataError(where + ": " + what + " id " + std::to_string(id) + ", want 0 to " +
                      std::to_string(size - 1));
    }
    return spec.tokens[static_cast<std::size_t>(id)];
  };
  ProtoWriter model;
  bool bytes = false;
  for (std::size_t i = 0; i < size; ++i) {
    const auto type = spec.types[i];
    if (type < 1 || type > 6) {
      throw DataError(where + ": piece '" + shown(spec.tokens[i]) + "' has type " +
                      std::to_string(type) + ", want 1 to 6");
    }
    bytes |= type == 6;
    model.bytes(1, ProtoWriter()
                       .bytes(1, spec.tokens[i])
                       .real(2, static_cast<float>(spec.scores[i]))
                       .number(3, static_cast<std::uint64_t>(type))
                       .done());
  }
  constexpr std::uint64_t byte_pair = 2;
  model.bytes(2, ProtoWriter()
                     .number(3, byte_pair)
                     .number(35, bytes)
                     .bytes(46, token(spec.bos, "bos"))
                     .bytes(47, token(spec.eos, "eos"))
                     .done());
  // Llama's own model: no normalization, every space kept.
  model.bytes(3, ProtoWriter()
                     .bytes(1, "identity")
                     .number(3, spec.space_prefix)
                     .number(4, 0)
                     .number(5, 1)
                     .done());
  return make_sentencepiece(model.done(), where);
}

}  // namespace seawall
