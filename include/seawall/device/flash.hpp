#pragma once
// Attention over rows that share prefixes, without masks: flash attention of each part of what a
// query sees, and their results merged by the logarithms of their sums.
// Source: Dao 2023 (FlashAttention-2), sec. 3; merging as in Dao et al. 2022, sec. 3.1.
#include <cstdint>
#include <memory>
#include <vector>

#include "seawall/core/tensor.hpp"

namespace seawall::device {

/// Queries and what they see together: sequences that see themselves causally, or one run of
/// queries that sees all of one run of keys.
struct AttentionPart {
  std::int64_t first_query = 0, queries = 0, first_key = 0, keys = 0;  // flat tokens
  Tensor query_ends, key_ends;  // [S+1] int32 on the device, from 0
  std::int64_t longest = 0;     // of a sequence's queries and keys
  bool causal = false;
};
/// The first part is of all tokens; the others add what their queries see besides.
struct AttentionParts {
  std::vector<AttentionPart> list;
};

/// Whether flash attention runs on these heads: on a device (of CUDA from Ampere on), bf16 or
/// fp16, D a multiple of 8 up to 256.
bool flash_takes(const Tensor& q);

/// Differentiable. Shapes: q [T,H,D], k and v [T,KV,D] -> [T,H,D]. Memory: no scores; besides the
/// inputs the result and [H,T] fp32. Gradients of keys that several queries see are added part by
/// part in a fixed order. Errors: RunError for a second derivative.
Tensor flash_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                       std::shared_ptr<const AttentionParts> parts, double scale);

/// Keys and values of M sequences that have S places each, some of which are used. `begins` and
/// `queries` do not change, `used` is read on the device.
struct SlotKeys {
  Tensor k, v;              // [M*S,KV,D]
  Tensor begins;            // [M+1] int32: 0, S, 2S, ..
  Tensor queries;           // [M+1] int32: 0, 1, 2, ..
  Tensor used;              // [M] int32, from 1 to `widest`: keys that the sequence's query sees
  std::int64_t widest = 0;  // at most S
};
/// Attention of one query per sequence, not differentiable. Shapes: q [M,H,D] -> [M,H,D]. The sizes
/// of what is launched depend on M, S and `widest` alone, so that it can be captured in a graph.
Tensor flash_decode(const Tensor& q, const SlotKeys& keys, double scale);

}  // namespace seawall::device
