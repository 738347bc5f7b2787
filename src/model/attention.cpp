#include "model/attention.hpp"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/one_hot.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>

#include "model/gemm.hpp"
#include "model/upload.hpp"
#include "seawall/core/error.hpp"
#include "seawall/model/kernels.hpp"
#include "seawall/model/runtime.hpp"

namespace seawall {
namespace {

using Item = BatchPlan::Attention::Item;
using Bucket = BatchPlan::Attention::Bucket;

/// Pads `items` to one size. The bucket's tensors are there once `upload` is sent.
void make_bucket(Bucket& bucket, const std::vector<const Item*>& items, Upload& upload,
                 const AttentionShape& shape) {
  bucket.segments = static_cast<std::int64_t>(items.size());
  for (const auto* item : items) {
    bucket.n = std::max(bucket.n, item->length);
    bucket.m = std::max(bucket.m, item->ancestors + item->length);
  }
  auto queries = at::zeros({bucket.segments, bucket.n}, at::kLong),
       keys = at::zeros({bucket.segments, bucket.m}, at::kLong);
  auto mask = at::zeros({bucket.segments, 1, bucket.n, bucket.m}, at::kBool);
  std::vector<std::int64_t> taken;
  for (std::int64_t s = 0; s < bucket.segments; ++s) {
    const auto& item = *items[s];
    auto* key = keys.data_ptr<std::int64_t>() + s * bucket.m;
    for (const auto& run : item.context)
      for (std::int64_t t = 0; t < run.length; ++t) *key++ = run.begin + t;
    for (std::int64_t i = 0; i < bucket.n; ++i) {
      bool* visible = mask.data_ptr<bool>() + (s * bucket.n + i) * bucket.m;
      const bool real = i < item.length;
      const auto place = real ? item.ancestors + i : 0, first = shape.first_seen(place);
      std::fill_n(visible + first, place + 1 - first, true);
      if (!real) continue;
      queries.data_ptr<std::int64_t>()[s * bucket.n + i] = item.begin + i;
      taken.push_back(s * bucket.n + i);
    }
  }
  upload.add(bucket.queries, queries.view({-1}));
  upload.add(bucket.keys, keys.view({-1}));
  upload.add(bucket.mask, mask);
  upload.add(bucket.taken, taken);
}

}  // namespace

const BatchPlan::Attention::Buckets& BatchPlan::Attention::buckets(const at::Device& device,
                                                                   std::int64_t window) const {
  const std::lock_guard lock(making_);
  const auto [found, fresh] = buckets_.try_emplace(window);
  auto& made = found->second;
  if (fresh) {
    std::map<std::pair<int, int>, std::vector<const Item*>>
        sizes;  // by powers of two of own length and context
    std::int64_t tokens = 0;
    for (const auto& item : items) {
      auto power = [](std::int64_t n) {
        return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(n)));
      };
      sizes[{power(item.length), power(item.ancestors + item.length)}].push_back(&item);
      tokens += item.length;
    }
    auto order = at::empty({tokens}, at::kLong);
    std::int64_t next = 0;
    Upload upload(device);
    made.list.reserve(sizes.size());  // `upload` knows their places
    for (const auto& [size, list] : sizes) {
      make_bucket(made.list.emplace_back(), list, upload, {.window = window});
      for (const auto* item : list)
        for (std::int64_t t = 0; t < item->length; ++t)
          order.data_ptr<std::int64_t>()[item->begin + t] = next++;
    }
    upload.add(made.order, order);
    upload.send();
  }
  return made;
}

std::vector<device::AttentionPart> BatchPlan::Attention::part_list() const {
  std::vector<device::AttentionPart> list(1);
  for (const auto& item : items) {
    list[0].queries += item.length;
    list[0].longest = std::max(list[0].longest, item.length);
  }
  list[0].keys = list[0].queries;
  list[0].causal = true;
  for (std::size_t s = 0; s < items.size(); ++s) {
    // Segments are laid out depth first: what is below one follows it.
    const auto& item = items[s];
    const auto end = item.begin + item.length;
    std::size_t next = s + 1;
    while (next < items.size() && items[next].ancestors >= item.ancestors + item.length) ++next;
    if (next == s + 1) continue;
    const auto below = items[next - 1].begin + items[next - 1].length - end;
    list.push_back({.first_query = end,
                    .queries = below,
                    .first_key = item.begin,
                    .keys = item.length,
                    .longest = std::max(below, item.length)});
  }
  return list;
}

std::vector<std::int32_t> BatchPlan::Attention::part_ends() const {
  std::vector<std::int32_t> ends{0};
  for (const auto& item : items)
    ends.push_back(ends.back() + static_cast<std::int32_t>(item.length));
  for (const auto& part : part_list())
    if (!part.causal)
      for (const auto n : {std::int64_t{0}, part.queries, std::int64_t{0}, part.keys})
        ends.push_back(static_cast<std::int32_t>(n));
  return ends;
}

void BatchPlan::Attention::place_parts(const Tensor& ends) {
  auto list = part_list();
  std::int64_t at = static_cast<std::int64_t>(items.size()) + 1;
  list[0].query_ends = list[0].key_ends = ends.narrow(0, 0, at);
  for (auto& part : list) {
    if (part.causal) continue;
    part.query_ends = ends.narrow(0, at, 2);
    part.key_ends = ends.narrow(0, at + 2, 2);
    at += 4;
  }
  parts = std::make_shared<device::AttentionParts>(device::AttentionParts{std::move(list)});
}

AttentionShape attention_shape(const LlamaConfig& config, std::int64_t layer) {
  const double scalar = static_cast<double>(config.query_scalar);
  return {.heads = config.heads,
          .kv_heads = config.kv_heads,
          .head_dim = config.head_dim,
          .window = config.window_of(layer),
          .scale = scalar > 0 ? 1 / std::sqrt(scalar) : 0,
          .cap = config.attention_cap};
}

/// Attention probabilities. Shapes: q [B,H,n,D], k [B,KV,m,D], mask as in masked_attention ->
/// [B,H,n,m], fp32 for narrower types.
static Tensor attention_shares(const Tensor& q, const Tensor& k, const Tensor& mask,
                               const AttentionShape& shape) {
  const double scale =
      shape.scale > 0 ? shape.scale : 1 / std::sqrt(static_cast<double>(q.size(3)));
  const Tensor keys = k.repeat_interleave(q.size(1) / k.size(1), 1);
  const Tensor products = at::matmul(q, keys.transpose(2, 3));
  const Tensor scores =
      shape.cap > 0 ? (products * (scale / shape.cap)).tanh() * shape.cap : products * scale;
  const auto wide = q.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return scores.masked_fill(mask.logical_not(), -INFINITY).softmax(-1, wide);
}

Tensor masked_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                        const AttentionShape& shape) {
  const auto group = q.size(1) / k.size(1);
  // ATen's products of bf16 are slow on many CPUs: only who asks for the plain operators gets them.
  if (q.is_cpu() && q.scalar_type() == at::kBFloat16 && compute_path() == ComputePath::fused)
    return masked_attention(q.to(at::kFloat), k.to(at::kFloat), v.to(at::kFloat), mask, shape)
        .to(at::kBFloat16);
  if (shape.cap == 0)
    return at::scaled_dot_product_attention(
        q, k, v, mask, 0.0, false, shape.scale > 0 ? std::optional(shape.scale) : std::nullopt,
        group != 1);
  return at::matmul(attention_shares(q, k, mask, shape).to(q.scalar_type()),
                    v.repeat_interleave(group, 1));
}

/// Rows of `x` at the padded places of a bucket. Shapes: x [T,heads,D], index [S*n] ->
/// [S,heads,n,D].
static Tensor bucket_rows(const Bucket& bucket, const Tensor& x, const Tensor& index) {
  return x.index_select(0, index)
      .view({bucket.segments, index.size(0) / bucket.segments, x.size(1), x.size(2)})
      .transpose(1, 2);
}

Tensor tree_attention(const Tensor& q, const Tensor& k, const Tensor& v, const BatchPlan& plan,
                      const AttentionShape& shape) {
  const auto width = q.size(1) * q.size(2);
  const bool windowed = shape.window > 0 && plan.attention->last_position >= shape.window;
  if (device::flash_takes(q) && shape.cap == 0 && !windowed) {
    const double scale =
        shape.scale > 0 ? shape.scale : 1 / std::sqrt(static_cast<double>(shape.head_dim));
    return device::flash_attention(q, k, v, plan.attention->parts, scale).view({q.size(0), width});
  }
  const auto& buckets = plan.attention->buckets(q.device(), shape.window);
  std::vector<Tensor> parts;
  for (const auto& bucket : buckets.list) {
    auto out = masked_attention(bucket_rows(bucket, q, bucket.queries),
                                bucket_rows(bucket, k, bucket.keys),
                                bucket_rows(bucket, v, bucket.keys), bucket.mask,
                                shape);                                      // [S,H,n,D]
    out = out.transpose(1, 2).reshape({bucket.segments * bucket.n, width});  // [S*n,H*D]
    parts.push_back(out.index_select(0, bucket.taken));                      // [t,H*D]
  }
  return at::cat(parts).index_select(0, buckets.order);  // [T,H*D]
}

/// What `of` makes of the attention of each bucket of rows, token by token. Shapes: q and k as in
/// tree_attention; of(bucket, [S,H,n,m]) -> [S,H,n,X]; -> [T,H,X].
template <class F>
static Tensor of_shares(const Tensor& q, const Tensor& k, const BatchPlan& plan,
                        const AttentionShape& shape, const F& of) {
  const auto wide = q.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const Tensor queries = q.to(wide), keys = k.to(wide);
  const auto& buckets = plan.attention->buckets(q.device(), shape.window);
  std::vector<Tensor> parts;
  for (const auto& bucket : buckets.list) {
    const Tensor shares =
        attention_shares(bucket_rows(bucket, queries, bucket.queries),
                         bucket_rows(bucket, keys, bucket.keys), bucket.mask, shape);  // [S,H,n,m]
    const Tensor out = of(bucket, shares).transpose(1, 2);                             // [S,n,H,X]
    parts.push_back(out.reshape({bucket.segments * bucket.n, q.size(1), out.size(3)})
                        .index_select(0, bucket.taken));  // [t,H,X]
  }
  return at::cat(parts).index_select(0, buckets.order);
}

Tensor attention_sink(const Tensor& q, const Tensor& k, const BatchPlan& plan,
                      const AttentionShape& shape) {
  return of_shares(q, k, plan, shape,
                   [](const Bucket&, const Tensor& shares) {
                     return shares.narrow(3, 0, 1);  // a context begins with its row
                   })
      .squeeze(2);
}

Tensor attention_groups(const Tensor& q, const Tensor& k, const BatchPlan& plan,
                        const AttentionShape& shape) {
  if (!plan.token_groups.defined())
    throw UsageError("attention by groups: want token_groups in the plan");
  return of_shares(q, k, plan, shape, [&](const Bucket& bucket, const Tensor& shares) {
    const Tensor one_hot = at::one_hot(plan.token_groups, plan.groups)
                               .to(shares.scalar_type())
                               .unsqueeze(1);  // [T,1,G]
    const Tensor by_group = at::matmul(shares, bucket_rows(bucket, one_hot, bucket.keys));
    const Tensor places = plan.positions.index_select(0, bucket.queries)
                              .view({bucket.segments, 1, bucket.n, 1})
                              .clamp_max(shares.size(3) - 1)  // of padding
                              .expand({-1, shares.size(1), -1, -1});
    const Tensor own = shares.gather(3, places);  // [S,H,n,1]
    return at::cat({by_group - own * bucket_rows(bucket, one_hot, bucket.queries), own}, 3);
  });
}

namespace cpu {
namespace {

constexpr std::int64_t block_rows =
    64;  // query rows whose scores are held at once: [64, context] stays in the caches

/// Scratch of one thread, kept between calls.
template <class Real>
Real* scratch(std::int64_t size) {
  static thread_local std::vector<Real> memory;
  if (static_cast<std::int64_t>(memory.size()) < size) memory.resize(size);
  return memory.data();
}

/// Copies the keys or values of a context to consecutive rows. Shapes: out [m,D].
template <class Real>
void gather(Real* out, const Real* column, std::int64_t stride, const Item& item, std::int64_t d) {
  for (const auto& run : item.context)
    for (std::int64_t t = run.begin; t < run.begin + run.length; ++t, out += d)
      std::memcpy(out, column + t * stride, d * sizeof(Real));
}

/// Runs f(item, kv_head) over all pairs, spread over the threads.
template <class F>
void for_each_pair(const BatchPlan::Attention& plan, std::int64_t kv_heads, F&& f) {
  const auto pairs = static_cast<std::int64_t>(plan.items.size()) * kv_heads;
  at::parallel_for(0, pairs, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto p = begin; p < end; ++p) f(plan.items[p / kv_heads], p % kv_heads);
  });
}

}  // namespace

template <class Real>
void attention_forward(const BatchPlan::Attention& plan, const AttentionShape& shape,
                       const Real* qkv, Real* out, Real* lse, std::int64_t tokens) {
  const auto& kernel = kernels::table<Real>();
  const auto d = shape.head_dim, width = shape.width(), out_width = shape.heads * d,
             group = shape.heads / shape.kv_heads;
  const Real scale = Real(1) / std::sqrt(static_cast<Real>(d));
  for_each_pair(plan, shape.kv_heads, [&](const Item& item, std::int64_t kv) {
    const auto m = item.ancestors + item.length;
    Real* k = scratch<Real>(2 * m * d + block_rows * m);
    Real *v = k + m * d, *s = v + m * d;
    gather(k, qkv + (shape.heads + kv) * d, width, item, d);
    gather(v, qkv + (shape.heads + shape.kv_heads + kv) * d, width, item, d);
    for (auto h = kv * group; h < (kv + 1) * group; ++h)
      for (std::int64_t i0 = 0; i0 < item.length; i0 += block_rows) {
        const auto n = std::min(block_rows, item.length - i0), t0 = item.begin + i0,
                   place = item.ancestors + i0, first = shape.first_seen(place),
                   seen = place + n - first;  // keys that some row of the block sees
        gemm<Real>(false, true, {n, seen, d}, {qkv + t0 * width + h * d, width}, {k + first * d, d},
                   {s, seen});
        for (std::int64_t i = 0; i < n; ++i) {
          const auto hidden = shape.first_seen(place + i) - first;
          std::fill_n(s + i * seen, hidden, Real(0));
          lse[h * tokens + t0 + i] = kernel.softmax(s + i * seen + hidden, scale,
                                                    place + i + 1 - first - hidden, seen - hidden);
        }
        gemm<Real>(false, false, {n, d, seen}, {s, seen}, {v + first * d, d},
                   {out + t0 * out_width + h * d, out_width});
      }
  });
}

template <class Real>
void attention_backward(const BatchPlan::Attention& plan, const AttentionShape& shape,
                        const AttentionGrad<Real>& grad, std::int64_t tokens) {
  const auto& kernel = kernels::table<Real>();
  const auto d = shape.head_dim, width = shape.width(), out_width = shape.heads * d,
             group = shape.heads / shape.kv_heads;
  const Real scale = Real(1) / std::sqrt(static_cast<Real>(d));
  // Gradients of every context's keys and values apart, [KV, context tokens, k|v, D], so that
  // threads share nothing and the order of the sum is fixed.
  std::vector<Real> parts(plan.context_tokens * shape.kv_heads * 2 * d);
  auto part = [&](const Item& item, std::int64_t kv) {
    return parts.data() +
           (kv * plan.context_tokens + item.offset) * 2 * d;  // dk [m,D], then dv [m,D]
  };
  for_each_pair(plan, shape.kv_heads, [&](const Item& item, std::int64_t kv) {
    const auto m = item.ancestors + item.length;
    Real* k = scratch<Real>(2 * m * d + 2 * block_rows * m);
    Real *v = k + m * d, *s = v + m * d, *ds = s + block_rows * m;
    Real *dk = part(item, kv), *dv = dk + m * d;
    gather(k, grad.qkv + (shape.heads + kv) * d, width, item, d);
    gather(v, grad.qkv + (shape.heads + shape.kv_heads + kv) * d, width, item, d);
    for (auto h = kv * group; h < (kv + 1) * group; ++h)
      for (std::int64_t i0 = 0; i0 < item.length; i0 += block_rows) {
        const auto n = std::min(block_rows, item.length - i0), t0 = item.begin + i0,
                   place = item.ancestors + i0, first = shape.first_seen(place),
                   seen = place + n - first;
        const View<const Real> q{grad.qkv + t0 * width + h * d, width};
        const View<const Real> d_out{grad.d_out + t0 * out_width + h * d, out_width};
        gemm<Real>(false, true, {n, seen, d}, q, {k + first * d, d}, {s, seen});
        gemm<Real>(false, true, {n, seen, d}, d_out, {v + first * d, d}, {ds, seen});
        for (std::int64_t i = 0; i < n; ++i) {
          const auto row = (t0 + i) * out_width + h * d;
          const Real delta = kernel.dot(grad.out + row, grad.d_out + row, d);
          const auto hidden = shape.first_seen(place + i) - first, begin = i * seen + hidden;
          std::fill_n(s + i * seen, hidden, Real(0));
          std::fill_n(ds + i * seen, hidden, Real(0));
          kernel.softmax_backward(s + begin, ds + begin, scale, grad.lse[h * tokens + t0 + i],
                                  delta, place + i + 1 - first - hidden, seen - hidden);
        }
        gemm<Real>(true, false, {seen, d, n}, {s, seen}, d_out, {dv + first * d, d}, Store::add);
        gemm<Real>(true, false, {seen, d, n}, {ds, seen}, q, {dk + first * d, d}, Store::add);
        gemm<Real>(false, false, {n, d, seen}, {ds, seen}, {k + first * d, d},
                   {grad.d_qkv + t0 * width + h * d, width});
      }
  });
  const auto kv_begin = shape.heads * d;  // the k and v columns follow the queries
  at::parallel_for(0, 2 * shape.kv_heads, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = 0; t < tokens; ++t)
      std::fill_n(grad.d_qkv + t * width + kv_begin + begin * d, (end - begin) * d, Real(0));
    for (auto c = begin; c < end; ++c)
      for (const auto& item : plan.items) {
        const auto m = item.ancestors + item.length;
        const Real* from = part(item, c % shape.kv_heads) + (c / shape.kv_heads) * m * d;
        for (const auto& run : item.context)
          for (auto t = run.begin; t < run.begin + run.length; ++t, from += d) {
            Real* to = grad.d_qkv + t * width + kv_begin + c * d;
            for (std::int64_t i = 0; i < d; ++i) to[i] += from[i];
          }
      }
  });
}

template void attention_forward(const BatchPlan::Attention&, const AttentionShape&, const float*,
                                float*, float*, std::int64_t);
template void attention_forward(const BatchPlan::Attention&, const AttentionShape&, const double*,
                                double*, double*, std::int64_t);
template void attention_backward(const BatchPlan::Attention&, const AttentionShape&,
                                 const AttentionGrad<float>&, std::int64_t);
template void attention_backward(const BatchPlan::Attention&, const AttentionShape&,
                                 const AttentionGrad<double>&, std::int64_t);

}  // namespace cpu
}  // namespace seawall
