// What the trainer and a stack add to a training step of the organism's size: 10 rows, a 24-token
// prefix shared.
//
// `over_model` is the time of a recorded step over the least a step can be, measured in turns in
// the same run: forward, loss, backward and at::_fused_adamw_ on the same rows. `of_peak` is the
// useful matrix products of a step over what one sgemm of 512 reaches in this process.
// SEAWALL_BENCH_THREADS sets the threads (default 1, where the clock is processor time).
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>

#include "mitigations/weight_drift.hpp"
#include "run/organism_config.hpp"
#include "seawall/core/rng.hpp"
#include "seawall/model/runtime.hpp"
#include "seawall/train/trainer.hpp"

namespace seawall {
namespace {

constexpr std::int64_t step_count = 50;

int thread_count() {
  const char* text = std::getenv("SEAWALL_BENCH_THREADS");
  return text ? std::max(1, std::atoi(text)) : 1;
}

double now() {
  timespec t{};
  clock_gettime(thread_count() == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double peak() {
  static const double value = [] {
    const Tensor a = at::ones({512, 512}), b = at::ones({512, 512});
    Tensor c = at::mm(a, b);
    double best = 0;
    for (int i = 0; i < 50; ++i) {
      const double start = now();
      at::mm_out(c, a, b);
      best = std::max(best, 2 * 512.0 * 512 * 512 / (now() - start) * 1e-9);
    }
    return best;
  }();
  return value;
}

/// 100 rows of 24 shared and 14 to 20 own tokens, the last 12 of them targets.
std::vector<Sequence> rows() {
  Rng rng(1);
  std::vector<std::int32_t> prefix;
  for (int t = 0; t < 24; ++t) prefix.push_back(static_cast<std::int32_t>(rng.below(1024)));
  std::vector<Sequence> out;
  for (int r = 0; r < 100; ++r) {
    Sequence row{prefix, {}};
    for (std::uint64_t t = 0, own = 14 + rng.below(7); t < own; ++t)
      row.ids.push_back(static_cast<std::int32_t>(rng.below(1024)));
    row.loss.assign(row.ids.size(), 0);
    std::fill(row.loss.end() - 12, row.loss.end(), std::uint8_t{1});
    out.push_back(std::move(row));
  }
  return out;
}

struct NoSink final : TraceSink {
  void on_step(const StepRecord& record) override { benchmark::DoNotOptimize(record.drift); }
  void on_evaluation(EvaluationRecord) override {}
  bool wants_residual() const override { return false; }
};

double median(std::vector<double> x) {
  std::nth_element(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(x.size() / 2), x.end());
  return x[x.size() / 2];
}

/// step_count of forward, loss, backward and fused AdamW: nothing recorded, nothing checked.
/// Seconds.
double bare(const NamedTensors& start, FixedRows& source) {
  Decoder decoder(organism_config(), start);
  NamedTensors weights;
  for (const auto& [name, tensor] : start) weights.push_back({name, tensor.clone()});
  decoder.replace(weights);
  decoder.set_requires_grad(true);
  std::vector<Tensor> w, m, v, none;
  for (auto& [name, tensor] : weights) {
    w.push_back(tensor);
    m.push_back(at::zeros_like(tensor));
    v.push_back(at::zeros_like(tensor));
  }
  const double begin = now();
  for (std::int64_t step = 0; step < step_count; ++step) {
    const auto batch = source.batch(step);
    const BatchPlan& plan = batch.micro[0]->plan;
    decoder.loss(plan, LossMode::fused).backward();
    at::NoGradGuard no_grad;
    std::vector<Tensor> g;
    for (auto& tensor : w) g.push_back(tensor.grad());
    const std::vector<Tensor> steps(w.size(), at::full({}, static_cast<double>(step + 1)));
    at::_fused_adamw_(w, g, m, v, none, steps, 3e-4, 0.9, 0.999, 0.0, 1e-8, false, false);
    for (auto& tensor : w) tensor.mutable_grad() = Tensor();
  }
  return now() - begin;
}

/// A step's useful products: forward and backward of the blocks for every token held, of the head
/// for every target.
double flop(const FixedRows& source) {
  const LlamaConfig c = organism_config();
  const double head = static_cast<double>(c.vocab_size * c.hidden_size);
  const double body = static_cast<double>(c.parameter_count()) - head;  // tied
  return 6 *
         (body * static_cast<double>(source.report().epoch_tokens) +
          head * static_cast<double>(source.report().epoch_targets)) /
         static_cast<double>(source.steps_per_epoch());
}

/// `lora`: the projections that factors of rank 8 stand beside; empty for full fine-tuning. Then
/// `over_model` is LoRA's step over the least one of full fine-tuning.
template <StackLike S>
void train_step(benchmark::State& state, S stack, const char* lora = "", double dropout = 0) {
  at::set_num_threads(thread_count());
  tune_allocator();
  const NamedTensors start = random_weights(organism_config(), 1);
  FixedRows source(rows(), {.batch_size = 10, .epochs = 5}, at::kCPU);
  TrainOptions options;
  options.schedule.lr = 3e-4;
  NoSink sink;
  bare(start, source);  // plans are made, pages touched
  std::vector<double> ours, least;
  for (auto _ : state) {
    Decoder decoder(organism_config(), start);
    const LoraOptions factors{.rank = 8, .targets = targets_from(lora), .dropout = dropout};
    if (!factors.targets.empty())
      decoder.adapt(make_adapter(organism_config(), factors, 1, decoder.embedding()));
    const double begin = now();
    train(decoder, source, stack, options, sink);
    ours.push_back(now() - begin);
    least.push_back(bare(start, source));
    state.SetIterationTime(ours.back() / step_count);
  }
  state.counters["over_model"] = median(ours) / median(least);
  state.counters["model_us"] = median(least) / step_count * 1e6;
  if (*lora != 0) return;  // whose products are fewer
  state.counters["of_peak"] = flop(source) / (median(ours) / step_count) * 1e-9 / peak();
  state.counters["peak_GF/s"] = peak();
}

/// Forward, loss and backward of the model alone, with a term of the loss made of what is taken at
/// `taps` in every block; `over_model` is the ratio to the same without hooks, in turns.
void tapped_step(benchmark::State& state, Taps taps) {
  at::set_num_threads(thread_count());
  tune_allocator();
  Decoder decoder(organism_config(), random_weights(organism_config(), 1));
  decoder.set_requires_grad(true);
  FixedRows source(rows(), {.batch_size = 10, .epochs = 5}, at::kCPU);
  const auto seconds = [&](bool hooked) {
    const double begin = now();
    for (std::int64_t step = 0; step < step_count; ++step) {
      const auto batch = source.batch(step);
      Tensor term;
      ForwardHooks hooks;
      hooks.taps = taps;
      hooks.graph = true;
      if (hooked)
        hooks.take = [&term](const TapPoint&, const Tensor& x) {
          const Tensor more = x.pow(2).mean();
          term = term.defined() ? term + more : more;
        };
      const Tensor loss = decoder.loss(batch.micro[0]->plan, LossMode::fused, hooks);
      (term.defined() ? loss + term : loss).backward();
      for (const auto& p : decoder.parameters()) p.tensor.mutable_grad() = Tensor();
    }
    return now() - begin;
  };
  seconds(true), seconds(false);  // plans are made, pages touched
  std::vector<double> with, without;
  for (auto _ : state) {
    with.push_back(seconds(true));
    without.push_back(seconds(false));
    state.SetIterationTime(with.back() / step_count);
  }
  state.counters["over_model"] = median(with) / median(without);
}

/// The time of a step, of which a model that is made anew and the bare steps beside it cost many.
void steps(benchmark::internal::Benchmark* one) {
  one->UseManualTime()->Iterations(3)->Unit(benchmark::kMicrosecond);
}

template <class... Ms>
AnyStack any_of(Ms... policies) {
  AnyStack stack;
  (stack.push_back(AnyMitigation(std::move(policies))), ...);
  return stack;
}

const WeightDrift coupled{{.lambda = 1e-2}}, decoupled{{.lambda = 1e-2, .form = "decoupled"}};

BENCHMARK_CAPTURE(train_step, empty_stack, Stack<>{})->Apply(steps);
BENCHMARK_CAPTURE(train_step, empty_any_stack, AnyStack{})->Apply(steps);
BENCHMARK_CAPTURE(train_step, weight_drift, Stack{coupled})->Apply(steps);
BENCHMARK_CAPTURE(train_step, weight_drift_any, any_of(coupled))->Apply(steps);
BENCHMARK_CAPTURE(train_step, weight_drift_decoupled, Stack{decoupled})->Apply(steps);

BENCHMARK_CAPTURE(train_step, lora_qv, Stack<>{}, "q_proj,v_proj")->Apply(steps);
BENCHMARK_CAPTURE(train_step, lora_all, Stack<>{}, "all")->Apply(steps);
BENCHMARK_CAPTURE(train_step, lora_all_dropout, Stack<>{}, "all", 0.1)->Apply(steps);

BENCHMARK_CAPTURE(tapped_step, resid_post, TapPoint::Kind::resid_post)->Apply(steps);
BENCHMARK_CAPTURE(tapped_step, attn_out, TapPoint::Kind::attn_out)->Apply(steps);
BENCHMARK_CAPTURE(tapped_step, sink, TapPoint::Kind::sink)->Apply(steps);
BENCHMARK_CAPTURE(tapped_step, every_place, inside_taps | TapPoint::Kind::resid_post)->Apply(steps);

}  // namespace
}  // namespace seawall
