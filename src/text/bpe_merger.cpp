#include "text/bpe_merger.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <queue>

namespace seawall {
namespace {

/// Scans for the best pair again and again: fastest for the short words that text is made of.
void merge_short(std::vector<std::int32_t>& symbols, const MergeTable& merges) {
  std::array<MergeTable::Merge, 32> pairs;  // pairs[i]: symbols i and i + 1
  auto size = symbols.size();
  for (std::size_t i = 0; i + 1 < size; ++i) pairs[i] = merges.find(symbols[i], symbols[i + 1]);
  while (size > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < size; ++i) {
      if (pairs[i].rank < pairs[best].rank) best = i;
    }
    if (pairs[best].rank == MergeTable::no_rank) break;
    symbols[best] = pairs[best].id;
    for (auto i = best + 1; i + 1 < size; ++i) {
      symbols[i] = symbols[i + 1];
      pairs[i] = pairs[i + 1];
    }
    --size;
    if (best > 0) pairs[best - 1] = merges.find(symbols[best - 1], symbols[best]);
    if (best + 1 < size) pairs[best] = merges.find(symbols[best], symbols[best + 1]);
  }
  symbols.resize(size);
}

/// The same with a heap over a linked list, for words that may be as long as the text.
void merge_long(std::vector<std::int32_t>& symbols, const MergeTable& merges) {
  struct Node {
    std::int32_t id;
    std::int64_t before, after;  // -1 at the ends
  };
  struct Candidate {
    std::uint32_t rank;
    std::int64_t left;
    std::int32_t left_id, right_id, merged;
    bool operator>(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };
  const auto count = static_cast<std::int64_t>(symbols.size());
  std::vector<Node> nodes(symbols.size());
  for (std::int64_t i = 0; i < count; ++i) {
    nodes[static_cast<std::size_t>(i)] = {symbols[static_cast<std::size_t>(i)], i - 1,
                                          i + 1 < count ? i + 1 : -1};
  }
  const auto node = [&](std::int64_t i) -> Node& { return nodes[static_cast<std::size_t>(i)]; };
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> heap;
  const auto offer = [&](std::int64_t left) {
    if (left < 0 || node(left).after < 0) return;
    const auto right_id = node(node(left).after).id;
    const auto merge = merges.find(node(left).id, right_id);
    if (merge.rank != MergeTable::no_rank) {
      heap.push({merge.rank, left, node(left).id, right_id, merge.id});
    }
  };
  for (std::int64_t i = 0; i + 1 < count; ++i) offer(i);
  while (!heap.empty()) {
    const auto best = heap.top();
    heap.pop();
    auto& left = node(best.left);
    // A candidate is stale where either symbol has changed since.
    if (left.id != best.left_id || left.after < 0 || node(left.after).id != best.right_id) continue;
    auto& right = node(left.after);
    left.id = best.merged;
    left.after = right.after;
    right.id = -1;
    if (left.after >= 0) node(left.after).before = best.left;
    offer(left.before);
    offer(best.left);
  }
  symbols.clear();
  for (std::int64_t i = 0; i >= 0; i = node(i).after) symbols.push_back(node(i).id);
}

}  // namespace

MergeTable::MergeTable(std::size_t count) {
  const auto size = std::bit_ceil(std::max<std::size_t>(2 * count, 16));
  slots_.resize(size);
  mask_ = size - 1;
  shift_ = 64 - std::countr_zero(size);
}

void MergeTable::insert(std::int32_t left, std::int32_t right, Merge merge) {
  const auto key = pair_key(left, right);
  auto at = slot(key);
  while (slots_[at].key != empty_key && slots_[at].key != key) at = (at + 1) & mask_;
  slots_[at] = {key, merge};
}

void merge_word(std::vector<std::int32_t>& symbols, const MergeTable& merges) {
  if (symbols.size() < 2) return;
  symbols.size() <= 32 ? merge_short(symbols, merges) : merge_long(symbols, merges);
}

}  // namespace seawall
