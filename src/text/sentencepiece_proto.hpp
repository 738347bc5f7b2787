#pragma once
// A SentencePiece model's protobuf, walked and bounded before the library sees it.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace seawall {

enum class PieceType : std::uint8_t {
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6
};

struct SentencePieceModel {
  struct Piece {
    std::string text;
    PieceType type = PieceType::normal;
    float score = 0;
  };
  std::vector<Piece> pieces;  // index = id
  bool byte_pair = false;     // else unigram, words or characters
  bool byte_fallback = false, space_prefix = true;
  /// Text is normalized by a table, or loses spaces, or words end in U+2581 and do not begin with
  /// it.
  bool changes_text = false;
};

/// Errors: DataError naming `where` and a byte offset or piece: over 64 MiB, more than 2^21 pieces,
/// a piece over 4 KiB, broken wire format, an unknown model type, a score that is not finite, a
/// normalization table that points outside itself.
SentencePieceModel check_sentencepiece(std::string_view serialized, const std::string& where);

}  // namespace seawall
