#include "tests/support/pretend_flash.hpp"

#include <ATen/ATen.h>

#include <limits>

#include "tests/support/pretend_graph.hpp"

namespace seawall::pretend {
namespace {

using at::Tensor;

/// What both directions are given.
struct Arguments {
  Tensor q, k, v, cum_q, cum_k;
  std::int64_t max_q, max_k;
  bool causal;
  double scale;
  Tensor used = {};  // of each sequence's keys; undefined: all

  void check(double dropout) const {
    TORCH_CHECK(q.scalar_type() == at::kBFloat16 || q.scalar_type() == at::kHalf,
                "FlashAttention only support fp16 and bf16 data type");
    for (const Tensor& t : {q, k, v}) {
      TORCH_CHECK(t.scalar_type() == q.scalar_type(), "query, key and value of one type");
      TORCH_CHECK(t.dim() == 3 && t.stride(-1) == 1, "contiguous last dimension");
    }
    for (const Tensor& t : {cum_q, cum_k})
      TORCH_CHECK(t.scalar_type() == at::kInt && t.is_contiguous() && t.dim() == 1,
                  "cu_seqlens must have dtype int32, contiguous");
    TORCH_CHECK(cum_q.numel() > 1 && cum_q.numel() == cum_k.numel(), "one end a sequence");
    TORCH_CHECK(q.size(2) <= 256 && q.size(2) % 8 == 0 && k.size(2) == q.size(2), "head size");
    TORCH_CHECK(q.size(1) % k.size(1) == 0, "heads in key/value must divide those in query");
    TORCH_CHECK(dropout == 0, "the reference has no dropout");
    const auto ends = [](const Tensor& cum, const Tensor& rows, std::int64_t most) {
      const auto* at = cum.const_data_ptr<int>();
      TORCH_CHECK(at[0] == 0 && at[cum.numel() - 1] == rows.size(0), "ends are not those of rows");
      for (std::int64_t s = 1; s < cum.numel(); ++s)
        TORCH_CHECK(at[s] >= at[s - 1] && at[s] - at[s - 1] <= most, "a sequence above its most");
    };
    ends(cum_q, q, max_q);
    ends(cum_k, k, used.defined() ? k.size(0) : max_k);
    if (used.defined()) check_used();
    // With max_q 1 heads are folded into queries: a sequence then has exactly one.
    TORCH_CHECK(max_q > 1 || q.size(0) == cum_q.numel() - 1, "max_q 1 wants one query a sequence");
  }

  void check_used() const {
    TORCH_CHECK(used.scalar_type() == at::kInt && used.is_contiguous() && used.dim() == 1 &&
                    used.numel() == cum_k.numel() - 1,
                "seqused_k must have dtype int32, contiguous, one a sequence");
    const int *at = cum_k.const_data_ptr<int>(), *n = used.const_data_ptr<int>();
    for (std::int64_t s = 0; s < used.numel(); ++s)
      TORCH_CHECK(n[s] > 0 && n[s] <= max_k && n[s] <= at[s + 1] - at[s],
                  "seqused_k: want 1 to max_k and to the sequence's places, got ", n[s]);
  }

  /// f(queries begin, count, keys begin, count) for each sequence.
  template <class F>
  void each(const F& f) const {
    const int *a = cum_q.const_data_ptr<int>(), *b = cum_k.const_data_ptr<int>();
    for (std::int64_t s = 0; s + 1 < cum_q.numel(); ++s)
      f(a[s], a[s + 1] - a[s], b[s],
        used.defined() ? used.const_data_ptr<int>()[s] : b[s + 1] - b[s]);
  }
  /// Shapes: x [n,heads,D] -> [H,n,D] in fp64, heads of keys repeated for their queries.
  Tensor heads(const Tensor& x) const {
    return x.to(at::kDouble).transpose(0, 1).repeat_interleave(q.size(1) / x.size(1), 0);
  }
  /// Shapes: -> [H,n,m]; causal ones are aligned at the last query and key.
  Tensor scores(const Tensor& queries, const Tensor& keys) const {
    Tensor s = at::matmul(queries, keys.transpose(1, 2)) * scale;
    if (!causal) return s;
    const Tensor seen = at::ones({s.size(1), s.size(2)}, at::kBool).tril(s.size(2) - s.size(1));
    return s.masked_fill(seen.logical_not(), -std::numeric_limits<double>::infinity());
  }
};

std::vector<c10::IValue> taken(torch::jit::Stack& stack, std::size_t count) {
  std::vector<c10::IValue> out(stack.end() - static_cast<std::ptrdiff_t>(count), stack.end());
  torch::jit::drop(stack, count);
  return out;
}

}  // namespace

void flash_forward(torch::jit::Stack& stack, std::size_t arguments) {
  const auto a = taken(stack, arguments);
  const Arguments call{a[0].toTensor(),  a[1].toTensor(),
                       a[2].toTensor(),  a[3].toTensor(),
                       a[4].toTensor(),  a[5].toInt(),
                       a[6].toInt(),     a[8].toBool(),
                       a[10].toDouble(), a[13].isNone() ? Tensor() : a[13].toTensor()};
  call.check(a[7].toDouble());
  for (std::size_t i = 11; i < arguments; ++i)
    TORCH_CHECK(i == 13 || a[i].isNone(), "the reference has no windows, pages or slopes");
  Tensor out = at::zeros_like(call.q);
  Tensor lse = at::full({call.q.size(1), call.q.size(0)}, std::numeric_limits<float>::infinity());
  call.each([&](std::int64_t q0, std::int64_t n, std::int64_t k0, std::int64_t m) {
    if (n == 0 || m == 0) return;
    const Tensor s =
        call.scores(call.heads(call.q.narrow(0, q0, n)), call.heads(call.k.narrow(0, k0, m)));
    out.narrow(0, q0, n).copy_(
        at::matmul(s.softmax(-1), call.heads(call.v.narrow(0, k0, m))).transpose(0, 1));
    lse.narrow(1, q0, n).copy_(s.logsumexp(-1));
  });
  const Tensor state = at::zeros({2}, at::kLong), none = at::zeros({0});
  for (const Tensor& t : {out, lse, state, none, none}) stack.emplace_back(t);
}

void flash_backward(torch::jit::Stack& stack, std::size_t arguments) {
  // With only a warning, or without, CUDA adds the gradients of queries in any order.
  TORCH_CHECK(replaying || (at::globalContext().deterministicAlgorithms() &&
                            !at::globalContext().deterministicAlgorithmsWarnOnly()),
              "the backward pass of attention must be told to keep its order");
  const auto a = taken(stack, arguments);
  const Arguments call{a[1].toTensor(), a[2].toTensor(), a[3].toTensor(),
                       a[6].toTensor(), a[7].toTensor(), a[8].toInt(),
                       a[9].toInt(),    a[11].toBool(),  a[14].toDouble()};
  call.check(a[10].toDouble());
  const Tensor dy = a[0].toTensor(), out = a[4].toTensor(), lse = a[5].toTensor();
  TORCH_CHECK(dy.scalar_type() == call.q.scalar_type() && dy.stride(-1) == 1 &&
                  out.stride(-1) == 1 && dy.sizes() == call.q.sizes(),
              "gradient and result as the query");
  TORCH_CHECK(lse.scalar_type() == at::kFloat && lse.is_contiguous() &&
                  lse.size(0) == call.q.size(1) && lse.size(1) == call.q.size(0),
              "log-sum-exp: want [heads, queries] in fp32, contiguous");
  Tensor dq = at::zeros_like(call.q), dk = at::zeros_like(call.k), dv = at::zeros_like(call.v);
  const auto group = call.q.size(1) / call.k.size(1);
  // Shapes: x [H,m,D] -> [m,KV,D], summed over the queries' heads.
  const auto folded = [&](const Tensor& x) {
    return x.view({call.k.size(1), group, x.size(1), x.size(2)}).sum(1).transpose(0, 1);
  };
  call.each([&](std::int64_t q0, std::int64_t n, std::int64_t k0, std::int64_t m) {
    if (n == 0 || m == 0) return;
    const Tensor q = call.heads(call.q.narrow(0, q0, n)), k = call.heads(call.k.narrow(0, k0, m));
    const Tensor v = call.heads(call.v.narrow(0, k0, m));
    const Tensor d = call.heads(dy.narrow(0, q0, n)), o = call.heads(out.narrow(0, q0, n));
    const Tensor p = (call.scores(q, k) - lse.narrow(1, q0, n).to(at::kDouble).unsqueeze(2)).exp();
    const Tensor ds =
        p * (at::matmul(d, v.transpose(1, 2)) - (d * o).sum(-1, true)) * call.scale;  // [H,n,m]
    dq.narrow(0, q0, n).copy_(at::matmul(ds, k).transpose(0, 1));
    dk.narrow(0, k0, m).copy_(folded(at::matmul(ds.transpose(1, 2), q)));
    dv.narrow(0, k0, m).copy_(folded(at::matmul(p.transpose(1, 2), d)));
  });
  for (const Tensor& t : {dq, dk, dv}) stack.emplace_back(t);
}

}  // namespace seawall::pretend
