#pragma once
// Byte-pair merging of one word: the best-ranked pair first, the leftmost among equals.
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "seawall/text/tokenizer.hpp"

namespace seawall {

/// (left id, right id) -> (rank, merged id): open addressing, so that a look-up is one or two cache
/// lines.
class MergeTable {
 public:
  struct Merge {
    std::uint32_t rank = no_rank;
    std::int32_t id = -1;
  };
  static constexpr std::uint32_t no_rank = UINT32_MAX;

  explicit MergeTable(std::size_t count = 0);
  /// A pair that is there already takes the new merge, as in Hugging Face's table.
  void insert(std::int32_t left, std::int32_t right, Merge merge);
  Merge find(std::int32_t left, std::int32_t right) const {
    const auto key = pair_key(left, right);
    for (auto at = slot(key);; at = (at + 1) & mask_) {
      if (slots_[at].key == key) return slots_[at].merge;
      if (slots_[at].key == empty_key) return {};
    }
  }

 private:
  struct Slot {
    std::uint64_t key = empty_key;
    Merge merge;
  };
  static constexpr std::uint64_t empty_key = UINT64_MAX;  // ids are below 2^21
  static std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
  }
  std::size_t slot(std::uint64_t key) const { return (key * 0x9E3779B97F4A7C15u) >> shift_; }

  std::vector<Slot> slots_;
  std::size_t mask_ = 0;
  int shift_ = 0;
};

/// Merges the symbols of a word in place. Time: O(n log n) in the word's length.
void merge_word(std::vector<std::int32_t>& symbols, const MergeTable& merges);

}  // namespace seawall
