#pragma once
// The batch plan: rows sorted into a prefix tree, every shared prefix computed once, short rows
// packed, no padding.
#include <cstdint>
#include <memory>
#include <vector>

#include "seawall/core/tensor.hpp"

namespace seawall {

/// A row of tokens. `loss[t]` = 1 where token t is a target (predicted from position t-1); empty
/// for prompts. An id below 0 is a picture's position: -(1+r) reads row r of the embeddings that
/// the plan is made with.
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
  Tensor ids, positions;              // [T]; id 0 where a picture's position is
  Tensor source_tokens;   // [N] flat token whose hidden state predicts target n (a shared token may
                          // serve several rows)
  Tensor targets;         // [N] token ids
  Tensor needed;          // [S] the distinct tokens of source_tokens, in order
  Tensor source_needed;   // [N] place of each target's source token in `needed`
  Tensor target_row;      // [N] row of target n
  Tensor target_place;    // [N] 0-based place of target n within its answer
  Tensor last_token;      // [B] flat token of each row's last token
  std::int64_t rows = 0;  // B
  std::int64_t tokens = 0;       // T, computed
  std::int64_t real_tokens = 0;  // sum of row lengths, what the examples hold
  // Where a row holds a picture; undefined in other plans, which pay nothing for it.
  Tensor embeddings;      // [R,C] as in PlanOptions
  Tensor picture_tokens;  // [P] flat tokens whose embedding is a row of `embeddings`
  Tensor picture_rows;    // [P] which row
  /// Groups of tokens for TapPoint::Kind::attention, 0 to `groups` - 1, put here by who asks for it
  /// in a plan without shared prefixes; undefined in other plans. Shapes: [T] int64.
  Tensor token_groups;
  std::int64_t groups = 0;
  // What attention needs, made once a plan: see plan_batch.
  struct Attention;
  std::shared_ptr<const Attention> attention;
};

struct PlanOptions {
  bool share_prefixes = true;
  /// Shortest prefix worth a segment of its own.
  std::int64_t min_shared = 4;
  /// What ids below 0 read. Shapes: [R,C]; may require grad. Equal pictures should share their
  /// rows, for then prefixes with them are shared too.
  Tensor embeddings = {};
};

/// Errors: UsageError for an empty batch or row, ids/loss lengths that differ, a picture's position
/// without its row in `embeddings`, or one that is a target.
BatchPlan plan_batch(const std::vector<Sequence>& rows, const at::Device& device,
                     const PlanOptions& options = {});

}  // namespace seawall
