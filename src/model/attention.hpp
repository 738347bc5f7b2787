#pragma once
// Attention over a batch plan: every segment's queries see the tokens of its ancestors and its own,
// causally.
#include <map>
#include <mutex>
#include <vector>

#include "seawall/core/tensor.hpp"
#include "seawall/device/flash.hpp"
#include "seawall/model/batch_plan.hpp"
#include "seawall/model/config.hpp"

namespace seawall {

/// A run of consecutive flat tokens.
struct TokenRun {
  std::int64_t begin = 0, length = 0;
};

/// What attention needs of a plan: each segment's context as runs (ancestors in order, then
/// itself).
struct BatchPlan::Attention {
  struct Item {
    std::int64_t begin = 0, length = 0;  // own tokens
    std::int64_t ancestors = 0;          // tokens of all ancestors
    std::int64_t offset = 0;             // sum of (ancestors + length) over the items before
    std::vector<TokenRun> context;       // ancestors + own, adjacent runs merged
  };
  std::vector<Item> items;  // one a segment, in order
  std::int64_t context_tokens = 0;
  std::int64_t longest_context = 0, last_position = 0;

  /// Segments of similar size as one padded batch, for devices where a call is dear.
  struct Bucket {
    Tensor queries;  // [S*n] flat token of each padded place (0 where padded)
    Tensor keys;     // [S*m]
    Tensor mask;     // [S,1,n,m] bool, true = visible; padded queries see key 0
    Tensor taken;    // [t] places of `queries` that are real
    std::int64_t segments = 0, n = 0, m = 0;
  };
  struct Buckets {
    std::vector<Bucket> list;
    Tensor order;  // [T] where each flat token lies in the buckets' real queries, joined
  };
  /// Made at the first use of a window (0: none).
  const Buckets& buckets(const at::Device& device, std::int64_t window) const;
  /// What flash attention computes one after the other: each segment's own tokens, then for every
  /// shared prefix the tokens below it. Null in plans of a CPU.
  std::shared_ptr<const device::AttentionParts> parts;
  /// Where the sequences of all parts end, joined: the table that `place_parts` makes them of.
  std::vector<std::int32_t> part_ends() const;
  /// Shapes: ends int32 on the device.
  void place_parts(const Tensor& ends);

 private:
  std::vector<device::AttentionPart> part_list() const;
  mutable std::mutex making_;
  mutable std::map<std::int64_t, Buckets> buckets_;
};

/// Sizes of the attention of one layer.
struct AttentionShape {
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0;
  std::int64_t window = 0;  // LlamaConfig::window_of
  double scale = 0;         // of scores; 0: 1/sqrt(D)
  double cap = 0;           // scores become cap tanh(score / cap); 0: as they are
  std::int64_t width() const { return (heads + 2 * kv_heads) * head_dim; }  // q|k|v columns
  /// First place of a row that the query at `place` sees.
  std::int64_t first_seen(std::int64_t place) const {
    return window > 0 && place >= window ? place + 1 - window : 0;
  }
};
AttentionShape attention_shape(const LlamaConfig& config, std::int64_t layer = 0);

/// Plain differentiable operators. Shapes: q [T,H,D], k and v [T,KV,D], rotated -> [T,H*D].
Tensor tree_attention(const Tensor& q, const Tensor& k, const Tensor& v, const BatchPlan& plan,
                      const AttentionShape& shape);
/// The share of its attention that each token gives to the first token of its row. Shapes: q and k
/// as above -> [T,H], fp32 for narrower types. Memory: the scores of one bucket's pairs, kept if a
/// gradient is wanted.
Tensor attention_sink(const Tensor& q, const Tensor& k, const BatchPlan& plan,
                      const AttentionShape& shape);
/// The share of its attention that each token gives to each group of plan.token_groups, and last to
/// itself. Shapes: q and k as above -> [T,H,groups+1], fp32 for narrower types. Memory: as above.
Tensor attention_groups(const Tensor& q, const Tensor& k, const BatchPlan& plan,
                        const AttentionShape& shape);
/// The attention of padded rows. Shapes: q [B,H,n,D], k and v [B,KV,m,D], mask bool that fits
/// [B,H,n,m], true = visible -> [B,H,n,D].
Tensor masked_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                        const AttentionShape& shape);

namespace cpu {
/// Shapes: qkv [T,width] rotated -> out [T,H*D], lse [H,T].
template <class Real>
void attention_forward(const BatchPlan::Attention& plan, const AttentionShape& shape,
                       const Real* qkv, Real* out, Real* lse, std::int64_t tokens);
/// Shapes: as above; d_out [T,H*D] -> d_qkv [T,width] (all of it written).
template <class Real>
struct AttentionGrad {
  const Real *qkv, *out, *lse, *d_out;
  Real* d_qkv;
};
template <class Real>
void attention_backward(const BatchPlan::Attention& plan, const AttentionShape& shape,
                        const AttentionGrad<Real>& grad, std::int64_t tokens);
}  // namespace cpu
}  // namespace seawall
