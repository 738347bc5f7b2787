// Attention over a batch plan, SmolLM2's heads: ours against ATen's flash kernel on the same rows.
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu_backward.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/GradMode.h>

#include "bench/models.hpp"
#include "model/attention.hpp"
#include "seawall/pretrained/bundle.hpp"

namespace seawall::bench {
namespace {

constexpr AttentionShape shape{9, 3, 64};

/// `rows` rows of 207 tokens that share none.
BatchPlan separate_rows(std::int64_t rows) {
  tune_allocator();
  set_threads(0);
  return plan_batch(rows_of(rows, 0, 207, 100, 49152), at::kCPU, {.share_prefixes = false});
}
double flop(const BatchPlan& plan, double products) {
  return products * 2 * attention_pairs(plan) * static_cast<double>(shape.heads * shape.head_dim);
}

void forward(benchmark::State& state) {
  const auto plan = separate_rows(state.range(0));
  const auto qkv = at::randn({plan.tokens, shape.width()});           // [T,width]
  auto out = at::empty({plan.tokens, shape.heads * shape.head_dim});  // [T,H*D]
  auto lse = at::empty({shape.heads, plan.tokens});                   // [H,T]
  Timer time(state);
  for (auto _ : state)
    time([&] {
      cpu::attention_forward<float>(*plan.attention, shape, qkv.const_data_ptr<float>(),
                                    out.mutable_data_ptr<float>(), lse.mutable_data_ptr<float>(),
                                    plan.tokens);
    });
  time.report_flops(flop(plan, 2));
}
BENCHMARK(forward)->ArgName("rows")->Arg(10)->Unit(benchmark::kMillisecond)->UseManualTime();

void forward_backward(benchmark::State& state) {
  const auto plan = separate_rows(state.range(0));
  const auto qkv = at::randn({plan.tokens, shape.width()});
  auto out = at::empty({plan.tokens, shape.heads * shape.head_dim});
  auto lse = at::empty({shape.heads, plan.tokens});
  const auto d_out = at::randn({plan.tokens, shape.heads * shape.head_dim});
  auto d_qkv = at::empty_like(qkv);
  Timer time(state);
  for (auto _ : state) {
    time([&] {
      cpu::attention_forward<float>(*plan.attention, shape, qkv.const_data_ptr<float>(),
                                    out.mutable_data_ptr<float>(), lse.mutable_data_ptr<float>(),
                                    plan.tokens);
      cpu::attention_backward<float>(
          *plan.attention, shape,
          {qkv.const_data_ptr<float>(), out.const_data_ptr<float>(), lse.const_data_ptr<float>(),
           d_out.const_data_ptr<float>(), d_qkv.mutable_data_ptr<float>()},
          plan.tokens);
    });
  }
  time.report_flops(flop(plan, 6));  // the scores that backward makes again do not count
}
BENCHMARK(forward_backward)
    ->ArgName("rows")
    ->Arg(10)
    ->Unit(benchmark::kMillisecond)
    ->UseManualTime();

void flash_forward_backward(benchmark::State& state) {
  const auto rows = state.range(0);
  const auto plan = separate_rows(rows);
  const c10::NoGradGuard no_grad;
  const auto q = at::randn({rows, shape.heads, 207, shape.head_dim});     // [B,H,T,D]
  const auto k = at::randn({rows, shape.kv_heads, 207, shape.head_dim});  // [B,KV,T,D]
  const auto v = at::randn({rows, shape.kv_heads, 207, shape.head_dim});
  const auto d_out = at::randn({rows, shape.heads, 207, shape.head_dim});
  Timer time(state);
  for (auto _ : state) {
    time([&] {
      const auto [out, lse] = at::_scaled_dot_product_flash_attention_for_cpu(q, k, v, 0, true);
      benchmark::DoNotOptimize(at::_scaled_dot_product_flash_attention_for_cpu_backward(
          d_out, q, k, v, out, lse, 0, true));
    });
  }
  time.report_flops(flop(plan, 6));
}
BENCHMARK(flash_forward_backward)
    ->ArgName("rows")
    ->Arg(10)
    ->Unit(benchmark::kMillisecond)
    ->UseManualTime();

}  // namespace
}  // namespace seawall::bench
