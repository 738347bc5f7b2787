// What a GPU does with a model of Llama-2-7B's sizes, whose random weights are made there: a
// training step by part, answers, start-up; and whether a run repeats and agrees with the CPU's.
//
//   bench_gpu [--device cuda] [--small] [--peak TFLOPS] PART...   (all parts if none is named)
//
// One JSON line per figure. Google Benchmark is not used: the parts of a step are timed by events
// of the device. On a CPU the plain operators are timed, which are a GPU's path.
#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bench/gpu/cases.hpp"
#include "bench/gpu/measure.hpp"
#include "seawall/core/error.hpp"
#include "seawall/model/generate.hpp"
#include "seawall/model/runtime.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/train/trainer.hpp"

namespace seawall {
namespace {

using namespace bench;

// --- What is measured ---------------------------------------------------------------------------

struct Bench {
  at::Device device;
  Sizes sizes;
  double peak = 0;          // FLOP/s; 0: not given
  double load_seconds = 0;  // of CUDA
};

// --- Parts --------------------------------------------------------------------------------------

/// Steps of `row_count` rows each, every one with plans of its own.
void time_steps(const Bench& bench, const std::string& figure, std::int64_t row_count, bool lora) {
  const auto& [device, sizes, peak, loaded] = bench;
  Decoder decoder = random_model(bench.sizes.model, bench.device);
  if (lora)
    decoder.adapt(make_adapter(decoder.config(),
                               {.rank = 8, .targets = targets_from("q_proj,v_proj")}, 1,
                               decoder.embedding()));
  peak_memory(device, true);
  FixedRows source(
      random_rows(row_count * (sizes.warm + sizes.steps), sizes.tokens, 0, decoder.config()),
      {.batch_size = row_count, .epochs = 1}, device);
  Stack<> none;
  TrainOptions options{.precision = Precision::pure_bf16};
  options.schedule.lr = 1e-5;
  detail::Session session(decoder, source, options, {}, detail::facts_of(none));
  double first = 0, tokens = 0, loss = 0;
  std::vector<double> step, forward, backward, update;
  wait_for(device);
  // As `train` does it, with marks.
  while (session.more()) {
    const double begin = now();
    Marks marks(device);
    session.begin_step();
    session.begin_micro(0);
    marks.mark();
    const Tensor mean = detail::micro_loss(decoder, *session.batch().micro[0], none, session);
    marks.mark();
    session.backward(0, mean, {});
    marks.mark();
    session.plan_ahead();
    if (session.loss_is_finite() && session.gradients_are_finite()) session.update();
    marks.mark();
    const StepRecord record = session.end_step();
    const double seconds = now() - begin;
    if (record.step == 1) first = seconds;
    if (record.step <= sizes.warm) continue;
    loss = record.loss;
    tokens += static_cast<double>(record.tokens) / static_cast<double>(sizes.steps);
    step.push_back(1e3 * seconds);
    forward.push_back(marks.between(0));
    backward.push_back(marks.between(1));
    update.push_back(marks.between(2));
  }
  // 6 FLOP a weight and token, 4 where the weights have no gradient; of an embedding, none.
  const double weights = static_cast<double>(decoder.config().parameter_count() -
                                             decoder.embedding().numel()),
               flop = (lora ? 4 : 6) * weights * tokens, seconds = 1e-3 * median(step);
  report(figure, {{"step_ms", median(step)},
                  {"forward_ms", median(forward)},
                  {"backward_ms", median(backward)},
                  {"optimizer_ms", median(update)},
                  {"least_step_ms", *std::min_element(step.begin(), step.end())},
                  {"first_step_ms", 1e3 * first},
                  {"tokens", tokens},
                  {"tokens_per_s", tokens / seconds},
                  {"mfu", peak > 0 ? flop / seconds / peak : std::nan("")},
                  {"peak_gb", peak_memory(device, false)},
                  {"loss", loss}});
}

void time_full(const Bench& bench) {
  time_steps(bench, "full", bench.sizes.rows, false);
  time_steps(bench, "full-packed", bench.sizes.packed_rows, false);
}
void time_lora(const Bench& bench) { time_steps(bench, "lora", bench.sizes.rows, true); }

void time_answers(const Bench& bench, std::size_t which) {
  const Decoder decoder = random_model(bench.sizes.model, bench.device);
  const std::int64_t count = bench.sizes.answers[which];
  Rng rng(11);
  std::vector<TokenIds> prompts;
  for (std::int64_t i = 0; i < count; ++i)
    prompts.push_back(random_ids(rng, bench.sizes.prompt, decoder.config()));
  generate(decoder, prompts, {.max_new_tokens = 4});
  wait_for(bench.device);
  peak_memory(bench.device, true);
  const double begin = now();
  std::int64_t made = 0;
  for (const auto& row :
       generate(decoder, prompts, {.max_new_tokens = bench.sizes.new_tokens}).rows)
    made += static_cast<std::int64_t>(row.ids.size());
  const double seconds = now() - begin;
  report("decode-" + std::to_string(which + 1),
         {{"answers", static_cast<double>(count)},
          {"new_tokens", static_cast<double>(made)},
          {"seconds", seconds},
          {"tokens_per_s", static_cast<double>(made) / seconds},
          {"peak_gb", peak_memory(bench.device, false)}});
}

/// From the program's start to the first answer's first token; only true of the first part of a
/// process.
void time_start(const Bench& bench) {
  const double begin = now();
  at::ones({1}, at::TensorOptions(bench.device)).add_(1);
  wait_for(bench.device);
  const double there = now();
  const Decoder decoder = random_model(bench.sizes.model, bench.device);
  wait_for(bench.device);
  const double made = now();
  generate(decoder, {{3, 4, 5, 6}}, {.max_new_tokens = 1});
  const double token = now();
  report("start", {{"load_s", bench.load_seconds},
                   {"device_s", there - begin},
                   {"weights_s", made - there},
                   {"first_token_s", token - made},
                   {"seconds", bench.load_seconds + token - begin}});
}

struct Outcome {
  std::vector<double> losses;
  NamedTensors weights;  // on the CPU
};

/// A run of the smaller model from weights that the seed makes on the CPU, on rows that share a
/// prefix.
Outcome trained(const Bench& bench, const at::Device& device, Precision precision,
                ComputePath path) {
  struct Losses final : TraceSink {
    std::vector<double> all;
    void on_step(const StepRecord& record) override { all.push_back(record.loss); }
    void on_evaluation(EvaluationRecord) override {}
    bool wants_residual() const override { return false; }
  } sink;
  set_compute_path(path);
  const auto& config = bench.sizes.compared;
  NamedTensors weights = random_weights(config, 1);
  const auto type = precision == Precision::fp32 ? at::kFloat : at::kBFloat16;
  for (auto& [name, tensor] : weights) tensor = tensor.to(type).to(device);
  Decoder decoder(config, weights);
  FixedRows source(random_rows(100, 48, 24, config), {.batch_size = 10, .epochs = 2}, device);
  TrainOptions options{.precision = precision};
  options.schedule.lr = 3e-4;
  Stack<> none;
  train(decoder, source, none, options, sink);
  Outcome out{sink.all, {}};
  for (const auto& [name, tensor] : decoder.parameters())
    out.weights.push_back({name, tensor.detach().cpu()});
  return out;
}

void compare_runs(const Bench& bench) {
  const auto run = [&] {
    return trained(bench, bench.device, Precision::pure_bf16, ComputePath::composite);
  };
  const Outcome one = run(), two = run();
  bool same = true;
  for (std::size_t i = 0; i < one.weights.size(); ++i)
    same &=
        std::memcmp(one.weights[i].tensor.const_data_ptr(), two.weights[i].tensor.const_data_ptr(),
                    one.weights[i].tensor.nbytes()) == 0;
  report("equal", {{"steps", static_cast<double>(one.losses.size())},
                   {"same_losses", one.losses == two.losses},
                   {"same_weights", same}});
}

void compare_with_cpu(const Bench& bench) {
  for (const auto precision : {Precision::fp32, Precision::pure_bf16}) {
    const Outcome there = trained(bench, bench.device, precision, ComputePath::composite),
                  here = trained(bench, at::kCPU, precision, ComputePath::fused);
    double apart = 0;
    for (std::size_t i = 0; i < here.losses.size(); ++i)
      apart = std::max(apart, std::abs(there.losses[i] - here.losses[i]));
    report("cpu-" + std::string(precision_name(precision)),
           {{"steps", static_cast<double>(here.losses.size())},
            {"first_loss", here.losses.front()},
            {"last_loss", here.losses.back()},
            {"most_apart", apart}});
  }
}

// --- The program --------------------------------------------------------------------------------

const std::vector<std::pair<std::string, std::function<void(const Bench&)>>> parts{
    {"start", time_start},
    {"full", time_full},
    {"lora", time_lora},
    {"decode-1", [](const Bench& bench) { time_answers(bench, 0); }},
    {"decode-2", [](const Bench& bench) { time_answers(bench, 1); }},
    {"decode-3", [](const Bench& bench) { time_answers(bench, 2); }},
    {"equal", compare_runs},
    {"cpu", compare_with_cpu}};

void go(std::vector<std::string> words) {
  std::string device = "cuda";
  bool small = false;
  double peak = 0;
  std::vector<std::string> wanted;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto value = [&] {
      if (i + 1 == words.size()) throw UsageError(words[i] + ": want a value after it");
      return words[++i];
    };
    if (words[i] == "--device") {
      device = value();
    } else if (words[i] == "--small") {
      small = true;
    } else if (words[i] == "--peak") {
      const std::string text = value();
      char* end = nullptr;
      peak = 1e12 * std::strtod(text.c_str(), &end);
      if (*end != 0 || !(peak > 0)) throw UsageError("--peak: want TFLOP/s, got " + text);
    } else if (std::ranges::find(parts, words[i], [](auto& p) { return p.first; }) != parts.end()) {
      wanted.push_back(words[i]);
    } else {
      std::string known;
      for (const auto& [name, part] : parts) known += " " + name;
      throw UsageError("want --device, --small, --peak or a part (" + known.substr(1) + "), got " +
                       words[i]);
    }
  }
  const double begin = now();
  Bench bench{parse_device(device), sizes_of(small), peak, 0};
  bench.load_seconds = now() - begin;
  for (const auto& [name, part] : parts) {
    if (!wanted.empty() && std::ranges::find(wanted, name) == wanted.end()) continue;
    set_compute_path(ComputePath::composite);
    part(bench);
  }
}

}  // namespace
}  // namespace seawall

int main(int argc, char** argv) {
  try {
    seawall::go({argv + 1, argv + argc});
    return 0;
  } catch (const seawall::UsageError& error) {
    std::fprintf(stderr, "bench_gpu: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_gpu: %s\n", error.what());
    return 1;
  }
}
