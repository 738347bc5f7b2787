// The decoder: a training step (forward and backward), prefill, and a decoding step of M rows.
// Peers: bench/peers/hf_train.py and hf_generate.py. Computed FLOP count, not what the rows hold.
#include <c10/core/GradMode.h>

#include <map>

#include "bench/models.hpp"
#include "model/decode_engine.hpp"
#include "seawall/pretrained/bundle.hpp"

namespace seawall::bench {
namespace {

enum Shape { organism_size, smollm2_size };

Decoder& decoder_of(std::int64_t shape) {
  static std::map<std::int64_t, Decoder> made;
  auto found = made.find(shape);
  if (found == made.end()) {
    tune_allocator();
    set_threads(0);
    const auto config = shape == organism_size ? organism_config() : smollm2_shape();
    found = made.emplace(shape, Decoder(config, random_weights(config, 1))).first;
  }
  return found->second;
}

/// Rows as the two workloads have them: short ones for the organism; ten of about 210 tokens that
/// share 57 for SmolLM2.
std::vector<Sequence> workload(std::int64_t shape, const LlamaConfig& c) {
  return shape == organism_size ? rows_of(10, 8, 32, 24, c.vocab_size)
                                : rows_of(10, 57, 156, 126, c.vocab_size);
}

void training_step(benchmark::State& state) {
  auto& decoder = decoder_of(state.range(0));
  decoder.set_requires_grad(true);
  const auto plan = plan_batch(workload(state.range(0), decoder.config()), at::kCPU);
  Timer time(state);
  for (auto _ : state) {
    for (const auto& [name, tensor] : decoder.parameters()) tensor.mutable_grad() = Tensor();
    time([&] { decoder.loss(plan, LossMode::fused).backward(); });
  }
  decoder.set_requires_grad(false);
  for (const auto& [name, tensor] : decoder.parameters()) tensor.mutable_grad() = Tensor();
  time.report_flops(3 * forward_flop(decoder.config(), plan, plan.targets.numel()));
  time.rate("real_tokens/s", static_cast<double>(plan.real_tokens));
}
BENCHMARK(training_step)
    ->ArgName("smollm2")
    ->Arg(organism_size)
    ->Arg(smollm2_size)
    ->Unit(benchmark::kMillisecond)
    ->UseManualTime();

void decoding_step(benchmark::State& state) {
  const auto& decoder = decoder_of(state.range(0));
  const auto rows = state.range(1);
  const c10::NoGradGuard no_grad;
  const auto& c = decoder.config();
  auto prompts = rows_of(rows, 24, 16, 0, c.vocab_size);
  for (auto& prompt : prompts) prompt.loss.clear();
  constexpr std::int64_t length = 48;
  std::vector<std::int64_t> slots, ids(static_cast<std::size_t>(rows), 5);
  for (std::int64_t r = 0; r < rows; ++r) slots.push_back(r);
  std::unique_ptr<DecodeEngine> engine;
  std::int64_t left = 0;
  Timer time(state);
  for (auto _ : state) {
    if (left == 0) {
      engine =
          make_decode_engine(decoder, plan_batch(prompts, at::kCPU), {.max_new_tokens = length});
      engine->prefill();
      left = length;
    }
    --left;
    time([&] { benchmark::DoNotOptimize(decoder.logits(engine->step(slots, ids))); });
  }
  const double weights =
      block_parameters(c) + static_cast<double>(c.vocab_size) * static_cast<double>(c.hidden_size);
  time.report_flops(2 * weights * static_cast<double>(rows));
  time.report_bytes(4 * weights);  // fp32 weights read once a step
  state.counters["new_tokens/s"] =
      benchmark::Counter(static_cast<double>(rows), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(decoding_step)
    ->ArgNames({"smollm2", "rows"})
    ->Args({organism_size, 1})
    ->Args({organism_size, 330})
    ->Args({smollm2_size, 1})
    ->Args({smollm2_size, 50})
    ->Unit(benchmark::kMillisecond)
    ->UseManualTime();

void prefill(benchmark::State& state) {
  const auto& decoder = decoder_of(state.range(0));
  const c10::NoGradGuard no_grad;
  const auto plan = plan_batch(rows_of(50, 24, 16, 0, decoder.config().vocab_size), at::kCPU);
  Timer time(state);
  for (auto _ : state) {
    auto engine = make_decode_engine(decoder, plan, {.max_new_tokens = 1});
    time([&] { benchmark::DoNotOptimize(engine->prefill()); });
  }
  time.report_flops(forward_flop(decoder.config(), plan, 0));
}
BENCHMARK(prefill)
    ->ArgName("smollm2")
    ->Arg(organism_size)
    ->Arg(smollm2_size)
    ->Unit(benchmark::kMillisecond)
    ->UseManualTime();

}  // namespace
}  // namespace seawall::bench
