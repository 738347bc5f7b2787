// Byte-level byte-pair encoding as GPT-2 and its descendants have it; token for token what Hugging
// Face tokenizers gives.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <unordered_map>

#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/text.hpp"
#include "seawall/text/bpe_merger.hpp"
#include "seawall/text/byte_level.hpp"
#include "seawall/text/pre_tokenizer.hpp"
#include "seawall/text/special_splitter.hpp"
#include "seawall/text/tokenizer.hpp"
#include "seawall/text/tokenizer_json.hpp"

namespace seawall {
namespace {

constexpr std::size_t max_vocabulary = std::size_t{1} << 21;

std::uint64_t hash_word(std::string_view word) {
  std::uint64_t hash = word.size() * 0x9E3779B97F4A7C15u;
  while (!word.empty()) {
    std::uint64_t part = 0;
    const auto size = std::min<std::size_t>(word.size(), sizeof(part));
    std::memcpy(&part, word.data(), size);
    hash = (hash ^ part) * 0xBF58476D1CE4E5B9u;
    hash ^= hash >> 29;
    word.remove_prefix(size);
  }
  return hash;
}

/// Words met lately with their ids. Each thread has its own, so that a tokenizer needs no lock.
class WordCache {
 public:
  struct Entry {
    std::uint8_t length = 0, count = 0;  // length 0: empty
    std::array<char, 30> word;
    std::array<std::int32_t, 8> ids;
  };
  static bool fits(std::string_view word) { return word.size() <= 30; }

  /// The cache of this thread, emptied where another tokenizer used it last.
  static WordCache& of(std::uint64_t owner) {
    thread_local WordCache cache;
    if (cache.owner_ != owner) {
      cache.entries_.assign(1 << 14, Entry{});
      cache.owner_ = owner;
    }
    return cache;
  }
  Entry& entry(std::string_view word) { return entries_[hash_word(word) >> 50]; }
  static bool holds(const Entry& entry, std::string_view word) {
    return entry.length == word.size() &&
           std::memcmp(entry.word.data(), word.data(), word.size()) == 0;
  }
  static void put(Entry& entry, std::string_view word, const TokenIds& ids) {
    if (ids.size() > entry.ids.size()) return;
    entry.length = static_cast<std::uint8_t>(word.size());
    entry.count = static_cast<std::uint8_t>(ids.size());
    std::ranges::copy(word, entry.word.begin());
    std::ranges::copy(ids, entry.ids.begin());
  }

 private:
  std::uint64_t owner_ = 0;
  std::vector<Entry> entries_;
};

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
    TokenIds ids;
    ids.reserve(text.size() / 4 + 8);
    (parse_special ? all_added_ : plain_added_)
        .split(
            text, [&](std::string_view part) { encode_text(part, ids); },
            [&](std::int32_t id) { ids.push_back(id); });
    return ids;
  }

  std::vector<TextPiece> cut(std::string_view text, std::string_view content) const override {
    return control_.cut(text, content);
  }

  std::string decode(std::span<const std::int32_t> ids, bool skip_special) const override {
    std::string bytes;
    for (const auto id : ids) {
      if (id < 0 || id >= vocab_size()) {
        throw UsageError("decode: token id " + std::to_string(id) + ", want 0 to " +
                         std::to_string(vocab_size() - 1));
      }
      const auto at = static_cast<std::size_t>(id);
      if (!skip_special || !special_[at]) bytes += bytes_[at];
    }
    return repair_utf8(std::move(bytes));
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
    return hash.hex();
  }

 private:
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
      auto bytes = bytes_from_alphabet(token);
      if (bytes && bytes->size() == 1) byte_ids_[static_cast<unsigned char>((*bytes)[0])] = id;
      bytes_.push_back(std::move(bytes).value_or(token));
      // An empty name is an id that nothing uses.
      if (!token.empty() && !ids_.emplace(token, id).second) {
        throw DataError("tokenizer: token '" + shown(token) + "' stands there twice, as id " +
                        std::to_string(ids_[token]) + " and " + std::to_string(id));
      }
    }
    for (const auto& id : {spec_.bos, spec_.eos}) {
      if (id) check_id(*id, "bos or eos");
    }
  }

  void read_specials() {
    special_.assign(spec_.tokens.size(), false);
    std::vector<std::pair<std::string, std::int32_t>> plain, all, control;
    for (const auto id : spec_.added_ids) {
      check_id(id, "added");
      plain.emplace_back(token(id), id);
      bytes_[static_cast<std::size_t>(id)] = token(id);
    }
    all = plain;
    for (const auto id : spec_.special_ids) {
      check_id(id, "control");
      all.emplace_back(token(id), id);
      control.emplace_back(token(id), id);
      special_[static_cast<std::size_t>(id)] = true;
      bytes_[static_cast<std::size_t>(id)] = token(id);
    }
    for (auto& id : byte_ids_) {
      if (id >= 0 && special_[static_cast<std::size_t>(id)]) id = -1;
    }
    plain_added_ = SpecialSplitter(std::move(plain));
    all_added_ = SpecialSplitter(std::move(all));
    control_ = SpecialSplitter(std::move(control));
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
      const auto merged =
          gap == std::string_view::npos
              ? std::nullopt
              : id_of(std::string(merge.substr(0, gap)) + std::string(merge.substr(gap + 1)));
      if (!left || !right || !merged || special_[static_cast<std::size_t>(*merged)]) {
        throw DataError(
            "tokenizer: merge " + std::to_string(i) + " '" + shown(merge) +
            "': want two tokens and a space between, which make a token that is not control");
      }
      merges_.insert(*left, *right, {static_cast<std::uint32_t>(i), *merged});
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
      for (const char c : word) name += alphabet_from_byte(static_cast<unsigned char>(c));
      const auto whole = id_of(name);
      if (whole && !special_[static_cast<std::size_t>(*whole)]) {
        ids.push_back(*whole);
        return;
      }
    }
    for (const char c : word) {
      const auto id = byte_ids_[static_cast<unsigned char>(c)];
      if (id >= 0) ids.push_back(id);  // a byte without a token is dropped, as Hugging Face does
    }
    merge_word(ids, merges_);
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
  std::vector<bool> special_;
  std::array<std::int32_t, 256> byte_ids_{};
  MergeTable merges_;
  SpecialSplitter plain_added_, all_added_, control_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_bpe_tokenizer(BpeSpec spec) {
  return std::make_unique<BpeTokenizer>(std::move(spec));
}

}  // namespace seawall
