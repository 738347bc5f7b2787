#pragma once
// Words that a byte-pair tokenizer met lately, with their ids.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "seawall/text/tokenizer.hpp"

namespace seawall {

inline std::uint64_t hash_word(std::string_view word) {
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

}  // namespace seawall
