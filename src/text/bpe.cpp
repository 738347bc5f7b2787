// Byte-pair encoding over bytes, as GPT-2 and its descendants have it, or over characters, as
// SentencePiece has it; token for token what Hugging Face tokenizers gives.
#include <algorithm>
#include <array>
#include <atomic>
#include <unordered_map>

#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/text.hpp"
#include "seawall/text/tokenizer.hpp"
#include "text/added_tokens.hpp"
#include "text/bpe_merger.hpp"
#include "text/byte_level.hpp"
#include "text/normalizer.hpp"
#include "text/pre_tokenizer.hpp"
#include "text/tokenizer_json.hpp"
#include "text/word_cache.hpp"

namespace seawall {
namespace {

constexpr std::size_t max_vocabulary = std::size_t{1} << 21;
constexpr std::string_view word_start = "\u2581";

class BpeTokenizer final : public Tokenizer {
 public:
  explicit BpeTokenizer(BpeSpec spec) : spec_(std::move(spec)) {
    const auto words = PreTokenizer::named(spec_.pre_tokenizer);
    if (!words) {
      throw DataError("tokenizer: the splitting pattern '" + shown(spec_.pre_tokenizer) +
                      "' is not supported, want gpt-2, smollm, llama-bpe or qwen2");
    }
    words_ = *words;
    read_tokens();
    read_specials();
    read_merges();
  }

  TokenIds encode(std::string_view text, bool parse_special) const override {
    if (!parse_special) return encode_part(text, true);
    TokenIds ids;
    ids.reserve(text.size() / 4 + 8);
    for (const auto& piece : control_.cut(text)) {
      if (piece.control) {
        ids.push_back(*piece.control);
      } else {
        encode_added(text.substr(piece.begin, piece.end - piece.begin), piece.begin == 0, ids);
      }
    }
    return ids;
  }

  TokenIds encode_part(std::string_view text, bool at_start) const override {
    TokenIds ids;
    ids.reserve(text.size() / 4 + 8);
    encode_added(text, at_start, ids);
    return ids;
  }

  std::vector<TextPiece> cut(std::string_view text, std::string_view content) const override {
    return control_.cut(text, content);
  }

  std::string decode(std::span<const std::int32_t> ids, bool skip_special) const override {
    std::string text, run;  // run: bytes of fallback tokens
    const auto flush = [&] {
      if (run.empty()) return;
      // A run that is no text becomes one replacement character a byte, as in Hugging Face.
      if (find_invalid_utf8(run)) {
        for (std::size_t i = 0; i < run.size(); ++i) text += "\uFFFD";
      } else {
        text += run;
      }
      run.clear();
    };
    for (const auto id : ids) {
      if (id < 0) throw UsageError("decode: token id " + std::to_string(id) + ", want 0 or more");
      if (id >= vocab_size()) continue;  // a row of the embedding without a token has no text
      const auto at = static_cast<std::size_t>(id);
      if (skip_special && special_[at]) continue;
      if (is_byte_[at]) {
        run += bytes_[at];
      } else {
        flush();
        text += bytes_[at];
      }
    }
    flush();
    if (spec_.strip_first && text.starts_with(' ')) text.erase(0, 1);
    return spec_.characters ? text : repair_utf8(std::move(text));
  }

  std::int64_t vocab_size() const override {
    return static_cast<std::int64_t>(spec_.tokens.size());
  }
  std::optional<std::int32_t> id_of(std::string_view piece) const override {
    const auto found = ids_.find(piece);
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<std::int32_t> bos_id() const override { return spec_.bos; }
  std::optional<std::int32_t> eos_id() const override { return spec_.eos; }
  void save(const std::filesystem::path& folder) const override {
    write_tokenizer_json(folder, spec_);
  }

  std::string content_hash() const override {
    Sha256 hash;
    hash.field("byte-level-bpe").field(spec_.pre_tokenizer).field(spec_.ignore_merges ? "1" : "0");
    for (const auto* list : {&spec_.tokens, &spec_.merges}) {
      hash.field(std::to_string(list->size()));
      for (const auto& each : *list) hash.field(each);
    }
    for (const auto* list : {&spec_.special_ids, &spec_.added_ids}) {
      hash.field(std::to_string(list->size()));
      for (const auto id : *list) hash.field(std::to_string(id));
    }
    if (spec_.characters || !spec_.normalizer.empty() || !spec_.flags.empty() ||
        spec_.prefix_space || spec_.unk)
      hash_more(hash);
    return hash.hex();
  }

 private:
  void hash_more(Sha256& hash) const {
    for (const bool flag : {spec_.characters, spec_.prefix_space, spec_.spaces_marked,
                            spec_.byte_fallback, spec_.fuse_unk})
      hash.field(flag ? "1" : "0");
    hash.field(std::to_string(static_cast<int>(spec_.prefix)));
    hash.field(std::to_string(spec_.unk.value_or(-1)));
    for (const auto& step : spec_.normalizer)
      hash.field(std::to_string(static_cast<int>(step.kind))).field(step.what).field(step.by);
    for (const auto& [id, flags] : spec_.flags) {
      hash.field(std::to_string(id));
      for (const bool flag : {flags.lstrip, flags.rstrip, flags.single_word, flags.normalized})
        hash.field(flag ? "1" : "0");
    }
  }

  void read_tokens() {
    if (spec_.tokens.empty() || spec_.tokens.size() > max_vocabulary) {
      throw DataError("tokenizer: " + std::to_string(spec_.tokens.size()) +
                      " tokens, want 1 to 2097152");
    }
    bytes_.reserve(spec_.tokens.size());
    byte_ids_.fill(-1);
    for (std::size_t i = 0; i < spec_.tokens.size(); ++i) {
      const auto& token = spec_.tokens[i];
      const auto id = static_cast<std::int32_t>(i);
      spec_.characters ? read_characters(token, id) : read_bytes(token, id);
      // An empty name is an id that nothing uses.
      if (!token.empty() && !ids_.emplace(token, id).second) {
        throw DataError("tokenizer: token '" + shown(token) + "' is there twice, as id " +
                        std::to_string(ids_[token]) + " and " + std::to_string(id));
      }
    }
    for (const auto& id : {spec_.bos, spec_.eos, spec_.unk}) {
      if (id) check_id(*id, "bos, eos or unk");
    }
  }

  void read_bytes(const std::string& token, std::int32_t id) {
    auto bytes = bytes_from_alphabet(token);
    if (bytes && bytes->size() == 1) byte_ids_[static_cast<unsigned char>((*bytes)[0])] = id;
    bytes_.push_back(std::move(bytes).value_or(token));
    is_byte_.push_back(false);
  }

  void read_characters(const std::string& token, std::int32_t id) {
    static const std::vector<NormalStep> to_space{
        {.kind = NormalStep::Kind::replace, .what = std::string(word_start), .by = " "}};
    // <0x0A>
    constexpr std::string_view digits = "0123456789ABCDEF";
    const bool shaped = spec_.byte_fallback && token.size() == 6 && token.starts_with("<0x") &&
                        token[5] == '>' && digits.find(token[3]) != std::string_view::npos &&
                        digits.find(token[4]) != std::string_view::npos;
    is_byte_.push_back(shaped);
    if (!shaped) {
      bytes_.push_back(normalized(token, to_space));
      return;
    }
    const auto byte = digits.find(token[3]) << 4 | digits.find(token[4]);
    byte_ids_[byte] = id;
    bytes_.emplace_back(1, static_cast<char>(byte));
  }

  void read_specials() {
    special_.assign(spec_.tokens.size(), false);
    std::vector<AddedTokens::Token> plain, after, control;
    const auto add = [&](std::int32_t id, const char* what, auto& to) {
      check_id(id, what);
      const auto found = spec_.flags.find(id);
      to.push_back({token(id), id, found == spec_.flags.end() ? AddedFlags{} : found->second});
      if (!spec_.characters) bytes_[static_cast<std::size_t>(id)] = token(id);
    };
    for (const auto id : spec_.added_ids) {
      add(id, "added", plain);
      if (!plain.back().flags.normalized) continue;
      plain.back().text = normalized(plain.back().text, spec_.normalizer);
      bytes_[static_cast<std::size_t>(id)] = plain.back().text;
      after.push_back(std::move(plain.back()));
      plain.pop_back();
    }
    for (const auto id : spec_.special_ids) {
      add(id, "control", control);
      special_[static_cast<std::size_t>(id)] = true;
    }
    for (auto& id : byte_ids_) {
      if (id >= 0 && special_[static_cast<std::size_t>(id)]) id = -1;
    }
    plain_ = AddedTokens(std::move(plain));
    after_ = AddedTokens(std::move(after));
    control_ = AddedTokens(std::move(control));
    only_nfc_ = std::ranges::all_of(spec_.normalizer, [](const NormalStep& step) {
      return step.kind == NormalStep::Kind::nfc;
    });
  }

  void read_merges() {
    if (spec_.merges.size() > 2 * max_vocabulary)
      throw DataError("tokenizer: more than 2^22 merges");
    merges_ = MergeTable(spec_.merges.size());
    for (std::size_t i = 0; i < spec_.merges.size(); ++i) {
      const std::string_view merge = spec_.merges[i];
      const auto gap = merge.find(' ');
      const auto left = id_of(merge.substr(0, gap));
      const auto right = id_of(merge.substr(std::min(gap, merge.size() - 1) + 1));
      const std::int32_t merged =
          gap == std::string_view::npos
              ? -1
              : id_of(std::string(merge.substr(0, gap)) + std::string(merge.substr(gap + 1)))
                    .value_or(-1);
      if (!left || !right || merged < 0 || special_[static_cast<std::size_t>(merged)]) {
        throw DataError(
            "tokenizer: merge " + std::to_string(i) + " '" + shown(merge) +
            "': want two tokens and a space between, which make a token that is not control");
      }
      merges_.insert(*left, *right, {static_cast<std::uint32_t>(i), merged});
    }
  }

  void check_id(std::int32_t id, const char* what) const {
    if (id >= 0 && id < vocab_size()) return;
    throw DataError("tokenizer: " + std::string(what) + " id " + std::to_string(id) +
                    ", want 0 to " + std::to_string(vocab_size() - 1));
  }
  const std::string& token(std::int32_t id) const {
    return spec_.tokens[static_cast<std::size_t>(id)];
  }

  /// Calls `on_text` for what is between the tokens, and puts those into `ids`.
  template <class OnText>
  static void around(const AddedTokens& tokens, std::string_view text, TokenIds& ids,
                     OnText&& on_text) {
    if (tokens.empty()) {
      if (!text.empty()) on_text(text, 0);
      return;
    }
    for (const auto& piece : tokens.cut(text)) {
      if (piece.control) {
        ids.push_back(*piece.control);
      } else {
        on_text(text.substr(piece.begin, piece.end - piece.begin), piece.begin);
      }
    }
  }

  void encode_added(std::string_view text, bool at_start, TokenIds& ids) const {
    around(plain_, text, ids, [&](std::string_view part, std::size_t begin) {
      const bool first = at_start && begin == 0;
      if (spec_.normalizer.empty() || (only_nfc_ && surely_nfc(part)))
        return encode_normal(part, first, ids);
      encode_normal(normalized(part, spec_.normalizer), first, ids);
    });
  }

  void encode_normal(std::string_view text, bool at_start, TokenIds& ids) const {
    around(after_, text, ids, [&](std::string_view part, std::size_t begin) {
      const bool first = at_start && begin == 0;
      if (!spec_.spaces_marked && !(spec_.prefix_space && !part.starts_with(' ')))
        return encode_text(part, ids);
      encode_text(prefixed(part, first), ids);
    });
  }

  std::string prefixed(std::string_view text, bool at_start) const {
    if (!spec_.spaces_marked) return " " + std::string(text);
    static const std::vector<NormalStep> marked{
        {.kind = NormalStep::Kind::replace, .what = " ", .by = std::string(word_start)}};
    auto out = normalized(text, marked);
    const bool wanted = spec_.prefix == BpeSpec::Prefix::always ||
                        (spec_.prefix == BpeSpec::Prefix::first && at_start);
    if (wanted && !out.starts_with(word_start)) out.insert(0, word_start);
    return out;
  }

  void encode_text(std::string_view text, TokenIds& ids) const {
    auto& cache = WordCache::of(owner_);
    TokenIds word_ids;
    while (!text.empty()) {
      const auto word = text.substr(0, words_.word_length(text));
      text.remove_prefix(word.size());
      if (!WordCache::fits(word)) {
        encode_word(word, word_ids);
        ids.insert(ids.end(), word_ids.begin(), word_ids.end());
        continue;
      }
      auto& entry = cache.entry(word);
      if (WordCache::holds(entry, word)) {
        ids.insert(ids.end(), entry.ids.begin(), entry.ids.begin() + entry.count);
        continue;
      }
      encode_word(word, word_ids);
      WordCache::put(entry, word, word_ids);
      ids.insert(ids.end(), word_ids.begin(), word_ids.end());
    }
  }

  void encode_word(std::string_view word, TokenIds& ids) const {
    ids.clear();
    if (spec_.ignore_merges) {
      std::string name;
      if (spec_.characters) name = word;
      for (const char c : spec_.characters ? "" : word)
        name += alphabet_from_byte(static_cast<unsigned char>(c));
      const auto whole = id_of(name);
      if (whole && !special_[static_cast<std::size_t>(*whole)]) {
        ids.push_back(*whole);
        return;
      }
    }
    if (spec_.characters) {
      symbols_of(word, ids);
      return merge_word(ids, merges_);
    }
    bool unknown = false;
    for (const char c : word) {
      const auto id = byte_ids_[static_cast<unsigned char>(c)];
      // A byte without a token is unknown, or dropped, as Hugging Face does.
      if (id < 0 && spec_.unk && !(spec_.fuse_unk && unknown)) ids.push_back(*spec_.unk);
      if (id >= 0) ids.push_back(id);
      unknown = id < 0;
    }
    merge_word(ids, merges_);
  }

  /// Characters, or the bytes of one that is no token, or the unknown token.
  void symbols_of(std::string_view word, TokenIds& ids) const {
    bool unknown = false;  // one waits, as it may grow where such are fused
    const auto flush = [&] {
      if (unknown) ids.push_back(*spec_.unk);
      unknown = false;
    };
    while (!word.empty()) {
      const auto one = word.substr(0, decode_char(word).length);
      word.remove_prefix(one.size());
      if (const auto id = id_of(one); id && !special_[static_cast<std::size_t>(*id)]) {
        flush();
        ids.push_back(*id);
        continue;
      }
      const bool has_bytes = spec_.byte_fallback && std::ranges::all_of(one, [&](char c) {
                               return byte_ids_[static_cast<unsigned char>(c)] >= 0;
                             });
      if (has_bytes) {  // an unknown one goes on waiting, as in Hugging Face
        for (const char c : one) ids.push_back(byte_ids_[static_cast<unsigned char>(c)]);
      } else if (spec_.unk) {
        if (!spec_.fuse_unk) flush();
        unknown = true;
      }
    }
    flush();
  }

  static std::uint64_t next_owner() {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
  }

  BpeSpec spec_;
  PreTokenizer words_;
  std::uint64_t owner_ = next_owner();
  std::unordered_map<std::string_view, std::int32_t> ids_;  // keys point into spec_
  std::vector<std::string> bytes_;                          // what each id decodes to
  std::vector<bool> special_, is_byte_;
  std::array<std::int32_t, 256> byte_ids_{};
  MergeTable merges_;
  AddedTokens control_, plain_, after_;  // after_: looked for after normalization
  bool only_nfc_ = true;
};

}  // namespace

std::unique_ptr<Tokenizer> make_bpe_tokenizer(BpeSpec spec) {
  return std::make_unique<BpeTokenizer>(std::move(spec));
}

}  // namespace seawall
