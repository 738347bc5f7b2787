// Attention over shared prefixes by flash attention of its parts, on the pretended device, against
// the masked attention of the CPU.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "model/attention.hpp"
#include "seawall/core/rng.hpp"
#include "tests/support/pretend_device.hpp"

namespace seawall {
namespace {

using pretend::there;

/// Rows that share prefixes of several lengths, one within another.
std::vector<Sequence> family(std::uint64_t seed) {
  Rng rng(seed);
  std::vector<Sequence> rows;
  const auto some = [&](std::vector<std::int32_t> from, std::size_t more) {
    for (std::size_t i = 0; i < more; ++i)
      from.push_back(static_cast<std::int32_t>(rng.below(1000)));
    return from;
  };
  const auto root = some({}, 9 + rng.below(8));
  for (int branch = 0; branch < 3; ++branch) {
    const auto stem = some(root, 5 + rng.below(6));
    for (int leaf = 0; leaf < 3; ++leaf) rows.push_back({some(stem, 1 + rng.below(9)), {}});
    if (branch == 1) rows.push_back({stem, {}});  // a row that ends where others go on
  }
  rows.push_back({some({}, 1), {}});  // one that shares nothing, of one token
  return rows;
}

struct Heads {
  std::int64_t heads, kv_heads, d;
};
class Flash : public ::testing::TestWithParam<Heads> {};

TEST_P(Flash, IsTheMaskedAttentionOfTheSameTree) {
  const auto [heads, kv, d] = GetParam();
  const AttentionShape shape{.heads = heads, .kv_heads = kv, .head_dim = d};
  for (const std::uint64_t seed : {1, 2, 3, 4}) {
    const BatchPlan plan = plan_batch(family(seed), at::kCPU),
                    device = plan_batch(family(seed), there);
    const auto t = plan.tokens;
    ASSERT_GT(device.attention->parts->list.size(), 3u);
    const auto leaf = [](const Tensor& x) { return x.clone().requires_grad_(true); };
    const Tensor q = at::randn({t, heads, d}).to(at::kBFloat16),
                 k = at::randn({t, kv, d}).to(at::kBFloat16),
                 v = at::randn({t, kv, d}).to(at::kBFloat16),
                 dy = at::randn({t, heads * d}).to(at::kBFloat16);
    const Tensor q64 = leaf(q.to(at::kDouble)), k64 = leaf(k.to(at::kDouble)),
                 v64 = leaf(v.to(at::kDouble));
    const Tensor want = tree_attention(q64, k64, v64, plan, shape);
    want.backward(dy.to(at::kDouble));
    const Tensor qd = leaf(q.to(there)), kd = leaf(k.to(there)), vd = leaf(v.to(there));
    pretend::reset();
    const Tensor got = tree_attention(qd, kd, vd, device, shape);
    got.backward(dy.to(there));
    EXPECT_EQ(pretend::counts().syncs, 0);
    EXPECT_FALSE(pretend::counts().operators.contains("aten::index_select"));  // nothing gathered
    const auto near = [](const Tensor& a, const Tensor& b) {
      // bf16 results, and for a token below two prefixes three of them added: 2^-8 each.
      const double most = b.abs().max().item<double>();
      EXPECT_LE((a.detach().to(at::kCPU).to(at::kDouble) - b).abs().max().item<double>(),
                0.012 * most);
    };
    near(got, want.detach());
    near(qd.grad(), q64.grad());
    near(kd.grad(), k64.grad());
    near(vd.grad(), v64.grad());
  }
}
TEST_P(Flash, OneQueryASequenceSeesThePlacesThatAreUsed) {
  const auto [heads, kv, d] = GetParam();
  constexpr std::int64_t m = 5, places = 40;
  const auto values = [](std::int64_t n, std::int64_t h, std::int64_t width) {
    return at::randn({n, h, width}).to(at::kBFloat16);
  };
  const Tensor q = values(m, heads, d), k = values(m * places, kv, d),
               v = values(m * places, kv, d);
  const Tensor used = at::tensor({1, 40, 17, 2, 33}, at::kInt);
  const auto counted = at::arange(m + 1, at::kInt);
  const Tensor got = device::flash_decode(q.to(there),
                                          {.k = k.to(there),
                                           .v = v.to(there),
                                           .begins = (counted * places).to(there),
                                           .queries = counted.to(there),
                                           .used = used.to(there),
                                           .widest = places},
                                          0.3)
                         .to(at::kCPU);
  for (std::int64_t i = 0; i < m; ++i) {
    const auto seen = [&](const Tensor& x) {  // [H,n,D]
      return x.narrow(0, i * places, used[i].item<int>())
          .to(at::kDouble)
          .transpose(0, 1)
          .repeat_interleave(heads / kv, 0);
    };
    const Tensor scores = at::matmul(seen(k), q[i].to(at::kDouble).unsqueeze(2)) * 0.3;  // [H,n,1]
    const Tensor want = (scores.softmax(1) * seen(v)).sum(1);
    EXPECT_LE((got[i].to(at::kDouble) - want).abs().max().item<double>(),
              0.004 * want.abs().max().item<double>());  // rounded once
  }
}
INSTANTIATE_TEST_SUITE_P(Heads, Flash,
                         ::testing::Values(Heads{4, 4, 16}, Heads{6, 2, 32}, Heads{8, 1, 64}));

TEST(FlashAttention, TellsNobodyElseToKeepAnOrder) {
  // The reference refuses a backward pass without an order (pretend_flash.cpp); it is told for that
  // pass alone, as other operators would pay for it with copies from the host.
  const AttentionShape shape{.heads = 4, .kv_heads = 2, .head_dim = 16};
  const BatchPlan plan = plan_batch(family(7), there);
  const auto values = [&](std::int64_t heads) {
    return at::randn({plan.tokens, heads, 16}).to(at::kBFloat16).to(there);
  };
  const Tensor leaf = values(2).requires_grad_(true);
  tree_attention(values(4), leaf, leaf, plan, shape).sum().backward();
  EXPECT_TRUE(leaf.grad().defined());
  EXPECT_FALSE(at::globalContext().deterministicAlgorithms());
}

}  // namespace
}  // namespace seawall
