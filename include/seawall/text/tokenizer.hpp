#pragma once
// Text to token ids and back: SentencePiece models and byte-level BPE.
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/core/notices.hpp"

namespace seawall {

using TokenIds = std::vector<std::int32_t>;

/// A stretch of a text: a control token, or what is between two.
struct TextPiece {
  std::size_t begin = 0, end = 0;         // bytes
  std::optional<std::int32_t> control{};  // its id
  bool operator==(const TextPiece&) const = default;
};

/// A trained tokenizer. Thread-safe once built.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  /// Ids of `text` alone: no BOS or EOS is added. With `parse_special` false (user text) a
  /// look-alike of a control token stays text.
  virtual TokenIds encode(std::string_view text, bool parse_special = false) const = 0;
  /// Cuts `text` at its control tokens, leftmost and longest first. A byte whose mark in `content`
  /// is not 0 is never part of one; `content` is as long as the text, or empty: no such byte.
  virtual std::vector<TextPiece> cut(std::string_view text,
                                     std::string_view content = {}) const = 0;
  /// Ids of a piece without control tokens; `at_start`: nothing comes before it.
  virtual TokenIds encode_part(std::string_view text, bool at_start) const {
    (void)at_start;
    return encode(text);
  }
  /// Text of `ids`; control tokens are left out where `skip_special`, and ids beyond the vocabulary
  /// always, as models have padded embeddings. Errors: UsageError for an id below 0.
  virtual std::string decode(std::span<const std::int32_t> ids, bool skip_special = true) const = 0;
  virtual std::int64_t vocab_size() const = 0;
  /// Id of the piece (control pieces included), or nullopt.
  virtual std::optional<std::int32_t> id_of(std::string_view piece) const = 0;
  virtual std::optional<std::int32_t> bos_id() const = 0;
  virtual std::optional<std::int32_t> eos_id() const = 0;
  /// SHA-256 of everything that decides the ids.
  virtual std::string content_hash() const = 0;
  /// Writes the files that Hugging Face transformers loads it from (tokenizer.model, or
  /// tokenizer.json; tokenizer_config.json).
  virtual void save(const std::filesystem::path& folder) const = 0;
};

/// How an added token is matched, as tokenizer.json has it.
struct AddedFlags {
  bool lstrip = false, rstrip = false;  // swallows the white space before, after it
  bool single_word = false;             // not inside a word
  bool normalized = false;              // looked for after normalization
  bool operator==(const AddedFlags&) const = default;
};

/// One step of a normalizer: NFC; a text put before every text; a text put in the place of another.
struct NormalStep {
  enum class Kind { nfc, prepend, replace };
  Kind kind = Kind::nfc;
  std::string what, by;  // prepend: `what`
};

/// What a byte-pair tokenizer is made of, wherever it was read from.
struct BpeSpec {
  std::vector<std::string> tokens;  // index = id; in GPT-2's byte-to-unicode alphabet, or plain
  std::vector<std::string> merges;  // "left right", best first
  std::vector<std::int32_t>
      special_ids;  // control tokens, matched whole when special parsing is on
  std::vector<std::int32_t>
      added_ids;  // not control, but matched whole in any text (GGUF: user-defined)
  std::map<std::int32_t, AddedFlags> flags;  // of those that have any
  /// The splitting pattern's name: "smollm", "gpt-2", "llama-bpe", "qwen2"; for `characters`:
  /// "none", or "words" (cut before every U+2581).
  std::string pre_tokenizer;
  std::vector<NormalStep> normalizer;
  bool ignore_merges = false;  // a word that is a token is taken whole (Llama 3)
  bool prefix_space = false;   // a space goes before a text without one
  /// Symbols are characters, spaces U+2581, as SentencePiece has them; else bytes.
  bool characters = false;
  /// Of `characters`: when U+2581 goes before a piece of text that does not begin with it.
  enum class Prefix { never, first, always } prefix = Prefix::never;
  bool spaces_marked = false;                    // after normalization, spaces become U+2581
  bool byte_fallback = false, fuse_unk = false;  // of `characters`
  std::optional<std::int32_t> unk;
  bool strip_first = false;  // decoding drops one leading space
  std::optional<std::int32_t> bos, eos;
  /// tokenizer.json and tokenizer_config.json as they came, which are then saved byte for byte.
  std::string json, config_json;
  Notices notices{};  // what the files disagree on
};

/// Errors: DataError naming the token or merge that does not fit, or an unknown splitting pattern.
std::unique_ptr<Tokenizer> make_bpe_tokenizer(BpeSpec spec);
/// Reads tokenizer.json and what the files next to it say of its tokens (folder_tokens.hpp): BPE
/// over bytes, or over characters with byte fallback (Llama 2, Mistral, Gemma). Errors: DataError
/// naming file and field.
std::unique_ptr<Tokenizer> load_tokenizer_json(const std::filesystem::path& file);
/// Reads a SentencePiece model. The protobuf is walked and bounded first (reliability rules), so a
/// bad file is a DataError, never a crash.
std::unique_ptr<Tokenizer> load_sentencepiece(const std::filesystem::path& file);
std::unique_ptr<Tokenizer> make_sentencepiece(std::string serialized_model,
                                              const std::string& where);

/// A byte-pair SentencePiece model as GGUF metadata hold it (tokenizer.ggml.model = llama).
struct PieceSpec {
  std::vector<std::string> tokens;  // index = id
  std::vector<double> scores;       // as many as tokens
  std::vector<std::int64_t> types;  // SentencePiece's numbers: 1 normal, 2 unknown, 3 control, ...
  bool space_prefix = true;         // a space goes before the text
  std::int32_t bos = 1, eos = 2;
};
/// Errors: DataError naming `where` and the piece.
std::unique_ptr<Tokenizer> make_sentencepiece(const PieceSpec& spec, const std::string& where);

}  // namespace seawall
