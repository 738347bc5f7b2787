// Field numbers: sentencepiece_model.proto of SentencePiece 0.1.97. The library trusts its input:
// over-long pieces and a damaged character map make it read out of bounds, so everything that it
// follows is followed here first.
#include "text/sentencepiece_proto.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <unordered_set>

#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"

namespace seawall {
namespace {

constexpr std::size_t max_proto_bytes = std::size_t{64} << 20, max_pieces = std::size_t{1} << 21;
constexpr std::size_t max_piece = 4096;

/// One message of the protobuf wire format, field by field.
class ProtoMessage {
 public:
  struct Field {
    std::uint32_t number = 0, wire = 0;
    std::uint64_t value = 0;  // wire types 0, 1 and 5
    std::string_view bytes;   // wire type 2
    std::size_t offset = 0;   // in the file
  };
  ProtoMessage(std::string_view data, std::size_t offset, const std::string& where)
      : data_(data), offset_(offset), where_(where) {}

  bool next(Field& field) {
    if (at_ == data_.size()) return false;
    field.offset = offset_ + at_;
    const auto tag = varint();
    if (tag > UINT32_MAX || tag >> 3 == 0) fail(field.offset, "a field number out of range");
    field.number = static_cast<std::uint32_t>(tag >> 3);
    field.wire = tag & 7;
    switch (field.wire) {
      case 0:
        field.value = varint();
        break;
      case 1:
        field.value = fixed(8);
        break;
      case 2: {
        const auto length = varint();
        if (length > data_.size() - at_) fail(field.offset, "a field longer than its message");
        field.bytes = data_.substr(at_, length);
        at_ += length;
        field.value = offset_ + at_ - length;  // where the bytes start
        break;
      }
      case 5:
        field.value = fixed(4);
        break;
      default:
        fail(field.offset, "wire type " + std::to_string(field.wire) + ", want 0, 1, 2 or 5");
    }
    return true;
  }
  ProtoMessage inner(const Field& field) const { return {field.bytes, field.value, where_}; }
  [[noreturn]] void fail(std::size_t offset, const std::string& what) const {
    throw DataError(where_ + ": byte " + std::to_string(offset) + ": " + what +
                    " (not a SentencePiece model, or damaged)");
  }

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ == data_.size()) fail(offset_ + at_, "the message ends inside a number");
      const auto byte = static_cast<unsigned char>(data_[at_++]);
      value |= std::uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    fail(offset_ + at_, "a number longer than 10 bytes");
  }
  std::uint64_t fixed(std::size_t size) {
    if (size > data_.size() - at_) fail(offset_ + at_, "the message ends inside a number");
    std::uint64_t value = 0;
    std::memcpy(&value, data_.data() + at_, size);
    at_ += size;
    return value;
  }

  std::string_view data_;
  std::size_t at_ = 0, offset_;
  const std::string& where_;
};

void want_wire(const ProtoMessage& message, const ProtoMessage::Field& field, std::uint32_t wire) {
  if (field.wire != wire) {
    message.fail(field.offset, "field " + std::to_string(field.number) + " has wire type " +
                                   std::to_string(field.wire) + ", want " + std::to_string(wire));
  }
}

SentencePieceModel::Piece read_piece(ProtoMessage message, std::size_t offset) {
  SentencePieceModel::Piece piece;
  ProtoMessage::Field field;
  while (message.next(field)) {
    if (field.number == 1) {
      want_wire(message, field, 2);
      if (field.bytes.empty() || field.bytes.size() > max_piece) {
        message.fail(field.offset, "a piece of " + std::to_string(field.bytes.size()) +
                                       " bytes, want 1 to " + std::to_string(max_piece));
      }
      if (find_invalid_utf8(field.bytes) || field.bytes.find('\0') != std::string_view::npos) {
        message.fail(field.offset, "a piece that is not UTF-8 text");
      }
      piece.text = field.bytes;
    } else if (field.number == 2) {
      want_wire(message, field, 5);
      piece.score = std::bit_cast<float>(static_cast<std::uint32_t>(field.value));
      if (!std::isfinite(piece.score)) {
        message.fail(field.offset, "a score that is not a finite number");
      }
    } else if (field.number == 3) {
      want_wire(message, field, 0);
      if (field.value < 1 || field.value > 6) message.fail(field.offset, "an unknown piece type");
      piece.type = static_cast<PieceType>(field.value);
    }
  }
  if (piece.text.empty()) message.fail(offset, "a piece without text");
  return piece;
}

/// One unit of a double-array trie. Source: darts-clone, DoubleArrayUnit.
struct TrieUnit {
  std::uint32_t bits;
  bool has_leaf() const { return (bits >> 8) & 1; }
  std::uint32_t value() const { return bits & 0x7FFFFFFFu; }
  std::uint32_t label() const { return bits & 0x800000FFu; }
  std::uint32_t offset() const { return (bits >> 10) << ((bits & 512u) >> 6); }
};

/// Follows every path that a lookup can take; each must stay inside the trie, each value inside
/// `texts`.
const char* check_trie(const std::vector<TrieUnit>& units, std::string_view texts) {
  if (units.empty()) return "an empty trie";
  if (texts.empty() || texts.back() != '\0') return "replacement texts without an end";
  std::vector<bool> seen(units.size());
  std::vector<std::uint32_t> open{0};
  seen[0] = true;
  while (!open.empty()) {
    const auto at = open.back();
    open.pop_back();
    const auto base = at ^ units[at].offset();
    if ((base | 0xFFu) >= units.size()) return "a path that leaves the trie";
    if (units[at].has_leaf() && units[base].value() >= texts.size()) {
      return "a value outside the replacement texts";
    }
    for (std::uint32_t label = 0; label < 256; ++label) {
      const auto child = base ^ label;
      if (units[child].label() != label || seen[child]) continue;
      seen[child] = true;
      open.push_back(child);
    }
  }
  return nullptr;
}

/// Layout: u32 size of the trie, the trie's units, then the replacement texts, each ended by a NUL.
void check_character_map(const ProtoMessage& message, const ProtoMessage::Field& field) {
  const auto blob = field.bytes;
  if (blob.empty()) return;
  std::uint32_t size = 0;
  if (blob.size() > sizeof(size)) std::memcpy(&size, blob.data(), sizeof(size));
  if (size == 0 || size % sizeof(TrieUnit) != 0 || size >= blob.size() - sizeof(size)) {
    message.fail(field.offset, "a normalization table of impossible size");
  }
  std::vector<TrieUnit> units(size / sizeof(TrieUnit));
  std::memcpy(units.data(), blob.data() + sizeof(size), size);
  if (const auto* problem = check_trie(units, blob.substr(sizeof(size) + size))) {
    message.fail(field.offset, "normalization table: " + std::string(problem));
  }
}

void check_normalizer(ProtoMessage message) {
  ProtoMessage::Field field;
  while (message.next(field)) {
    if (field.number == 1 || field.number == 2 || field.number == 6) want_wire(message, field, 2);
    if (field.number == 2) check_character_map(message, field);
  }
}

/// What the normalizer does; that of decoding is only checked.
void read_normalizer(ProtoMessage message, SentencePieceModel& model) {
  check_normalizer(message);
  bool table = false, fewer_spaces = true, marked_spaces = true;
  ProtoMessage::Field field;
  while (message.next(field)) {
    if (field.number == 2) table = !field.bytes.empty();
    if (field.number == 3) model.space_prefix = field.value != 0;
    if (field.number == 4) fewer_spaces = field.value != 0;
    if (field.number == 5) marked_spaces = field.value != 0;
  }
  model.changes_text |= table || fewer_spaces || !marked_spaces;
}

void read_trainer(ProtoMessage message, SentencePieceModel& model) {
  ProtoMessage::Field field;
  while (message.next(field)) {
    if (field.number == 24) model.changes_text |= field.value != 0;  // treat_whitespace_as_suffix
    if (field.number == 35) model.byte_fallback = field.value != 0;
    if (field.number != 3) continue;
    want_wire(message, field, 0);
    if (field.value < 1 || field.value > 4) message.fail(field.offset, "an unknown model type");
    model.byte_pair = field.value == 2;
  }
}

void check_pieces(const SentencePieceModel& model, const std::string& where) {
  std::unordered_set<std::string_view> texts;
  std::size_t unknown = 0;
  for (const auto& piece : model.pieces) {
    unknown += piece.type == PieceType::unknown;
    if (!texts.insert(piece.text).second) {
      throw DataError(where + ": piece '" + shown(piece.text) + "' is there twice");
    }
    const auto characters = std::ranges::count_if(
        piece.text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
    if (piece.type == PieceType::control && characters < 2) {
      throw DataError(where + ": control piece '" + shown(piece.text) +
                      "' is one character, which ordinary text could hold");
    }
    if (piece.type != PieceType::byte) continue;
    const auto& t = piece.text;
    const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); };
    if (t.size() != 6 || !t.starts_with("<0x") || t[5] != '>' || !hex(t[3]) || !hex(t[4])) {
      throw DataError(where + ": byte piece '" + shown(t) + "', want a name like <0x0A>");
    }
  }
  if (unknown != 1) {
    throw DataError(where + ": want one unknown piece, found " + std::to_string(unknown));
  }
}

}  // namespace

SentencePieceModel check_sentencepiece(std::string_view serialized, const std::string& where) {
  if (serialized.size() > max_proto_bytes) {
    throw DataError(where + ": the SentencePiece model has " + std::to_string(serialized.size()) +
                    " bytes, want at most 64 MiB");
  }
  SentencePieceModel model;
  ProtoMessage message(serialized, 0, where);
  ProtoMessage::Field field;
  while (message.next(field)) {
    if (field.number > 5) continue;
    want_wire(message, field, 2);
    if (field.number == 1) {
      if (model.pieces.size() == max_pieces) message.fail(field.offset, "more than 2^21 pieces");
      model.pieces.push_back(read_piece(message.inner(field), field.offset));
    } else if (field.number == 2) {
      read_trainer(message.inner(field), model);
    } else if (field.number == 3) {
      read_normalizer(message.inner(field), model);
    } else if (field.number == 5) {
      check_normalizer(message.inner(field));
    }
  }
  if (model.pieces.empty()) message.fail(serialized.size(), "no pieces");
  check_pieces(model, where);
  return model;
}

}  // namespace seawall
