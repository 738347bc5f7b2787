#pragma once
// The batch plan: rows sorted into a prefix tree, every shared prefix computed once, short rows
// packed, no padding.
#include <cstdint>
#include <memory>
#include <vector>

#include "seawall/core/tensor.hpp"

namespace seawall {

/// A row of tokens. `loss[t]` = 1 where token t is a target (predicted from position t-1); empty
/// for prompts.
struct Sequence {
  std::vector<std::int32_t> ids;
  std::vector<std::uint8_t> loss;
};

/// A run of consecutive tokens of the tree; its tokens see all ancestors and themselves causally.
struct Segment {
  std::int64_t begin = 0;     // first flat token
  std::int64_t length = 0;    // tokens
  std::int64_t parent = -1;   // segment, or -1
  std::int64_t position = 0;  // position of its first token in the row
};

/// Rows as flat tokens [T] of a forest. Index tensors are int64 on the device of the plan.
struct BatchPlan {
  std::vector<Segment> segments;      // parents before children
  std::vector<std::int64_t> leaf_of;  // row -> segment holding its last token
  Tensor ids, positions;              // [T]
  Tensor source_tokens;   // [N] flat token whose hidden state predicts target n (a shared token may
                          // serve several rows)
  Tensor targets;         // [N] token ids
  Tensor needed;          // [S] the distinct tokens of source_tokens, in order
  Tensor source_needed;   // [N] place of each target's source token in `needed`
  Tensor target_row;      // [N] row of target n
  Tensor target_place;    // [N] 0-based place of target n within its row's answer
  Tensor last_token;      // [B] flat token of each row's last token
  std::int64_t rows = 0;  // B
  std::int64_t tokens = 0;       // T, computed
  std::int64_t real_tokens = 0;  // sum of row lengths, what the examples hold
  // What attention needs, made once a plan: see plan_batch.
  struct Attention;
  std::shared_ptr<const Attention> attention;
};

struct PlanOptions {
  bool share_prefixes = true;
  /// Shortest prefix worth a segment of its own.
  std::int64_t min_shared = 4;
};

/// Errors: UsageError for an empty batch or row, or ids/loss lengths that differ.
BatchPlan plan_batch(const std::vector<Sequence>& rows, const at::Device& device,
                     const PlanOptions& options = {});

}  // namespace seawall
