// What training holds on a device: what --dry-run counts against what autograd keeps, and
// activation checkpointing.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <optional>

#include "seawall/train/memory.hpp"
#include "tests/support/checkpointing.hpp"
#include "tests/support/pretend_device.hpp"
#include "tests/train/fixtures.hpp"

namespace seawall {
namespace {

using pretend::there;
using namespace testing;

/// So many blocks of other sizes than heads have, so that no two parts of one are alike.
LlamaConfig uneven(std::int64_t layers) {
  LlamaConfig config = tiny_config();
  config.layers = layers;
  config.hidden_size = 64;
  config.intermediate_size = 176;
  config.head_dim = 16;
  return config;
}
/// Blocks of Llama-2-7b.
LlamaConfig of_7b(std::int64_t layers) {
  LlamaConfig config = tiny_config();
  config.layers = layers;
  config.hidden_size = 4096;
  config.intermediate_size = 11008;
  config.heads = config.kv_heads = 32;
  config.head_dim = 128;
  return config;
}
using Sizes = LlamaConfig (*)(std::int64_t layers);

/// Weights that are made there.
Decoder made_there(const LlamaConfig& config) {
  NamedTensors weights;
  for (const auto& [name, shape] : config.parameter_shapes())
    weights.push_back({name, at::full(shape, 0.01, at::TensorOptions(there).dtype(at::kBFloat16))});
  return Decoder(config, weights);
}

/// What a graph of so many blocks holds, beyond the model, per token.
double kept_per_token(const LlamaConfig& config, const LoraOptions* lora) {
  Decoder decoder = made_there(config);
  if (lora != nullptr) {
    decoder.adapt(make_adapter(config, *lora, 1, decoder.embedding()));
    for (const auto& [name, factor] : decoder.adapter()->tensors()) factor.set_requires_grad(true);
  } else {
    decoder.set_requires_grad(true);
  }
  const BatchPlan plan = plan_batch(tiny_rows(2), there);
  decoder.loss(plan, LossMode::fused);  // makes what a plan keeps
  const auto before = pretend::bytes_held();
  const Tensor loss = decoder.loss(plan, LossMode::fused);
  return static_cast<double>(pretend::bytes_held() - before) / static_cast<double>(plan.tokens);
}
/// The same by the count from sizes.
double counted_per_token(const LlamaConfig& config, const LoraOptions* lora, bool recomputes) {
  std::optional<Adapter> adapter;
  if (lora != nullptr) adapter = make_adapter(config, *lora, 1, at::empty({1}, at::kBFloat16));
  constexpr std::int64_t tokens = 10'000'000;  // enough that the forward pass is the peak
  const MemoryEstimate estimate = estimate_memory({.config = config,
                                                   .precision = Precision::pure_bf16,
                                                   .cpu = false,
                                                   .loaded_bytes = 2,
                                                   .adapter = adapter ? &*adapter : nullptr,
                                                   .recomputes = recomputes,
                                                   .tokens = tokens});
  double bytes = 0;
  for (const auto& part : estimate.phases.at(0).parts)
    if (part.name == "gradients" || part.name == "activations and logits") bytes += part.bytes;
  return bytes / static_cast<double>(tokens);
}

void expect_counted(Sizes sizes, std::int64_t blocks, const LoraOptions* lora, bool recomputes) {
  const double kept = kept_per_token(sizes(blocks + 1), lora) - kept_per_token(sizes(blocks), lora),
               counted = counted_per_token(sizes(blocks + 1), lora, recomputes) -
                         counted_per_token(sizes(blocks), lora, recomputes);
  EXPECT_GT(kept, 0);
  EXPECT_NEAR(counted, kept, 0.05 * kept)
      << (lora == nullptr ? "full" : targets_text(lora->targets));
}

TEST(DeviceMemory, TheCountIsWhatAutogradKeeps) {
  const LoraOptions few{.rank = 4, .targets = targets_from("q_proj,v_proj")},
      all{.rank = 4, .targets = targets_from("all")};
  for (const LoraOptions* lora : {static_cast<const LoraOptions*>(nullptr), &few, &all}) {
    expect_counted(uneven, 3, lora, false);
    const Checkpointing on;
    expect_counted(uneven, 3, lora, true);
  }
}

TEST(DeviceMemory, TheCountOfABlockOfSevenBillionIsWhatAutogradKeeps) {
  expect_counted(of_7b, 1, nullptr, false);
  const Checkpointing on;
  expect_counted(of_7b, 1, nullptr, true);
}

/// The loss and every gradient of a decoder there.
NamedTensors gradients_there(Decoder& decoder, const BatchPlan& plan) {
  const NamedTensors leaves =
      decoder.adapter() ? decoder.adapter()->tensors() : decoder.parameters();
  for (const auto& [name, tensor] : leaves) tensor.set_requires_grad(true);
  const Tensor loss = decoder.loss(plan, LossMode::fused);
  loss.backward();
  NamedTensors out{{"loss", loss.detach().cpu()}};
  for (const auto& [name, tensor] : leaves) {
    out.push_back({name, tensor.grad().cpu()});
    tensor.mutable_grad() = Tensor();
  }
  return out;
}

TEST(DeviceMemory, CheckpointedActivationsGiveTheSameGradients) {
  for (const auto type : {at::kFloat, at::kBFloat16})
    for (const bool lora : {false, true}) {
      NamedTensors weights = random_weights(uneven(3), 1);
      for (auto& [name, tensor] : weights) tensor = tensor.to(type).to(there);
      Decoder decoder(uneven(3), weights);
      if (lora) {
        LoraOptions options{.rank = 4, .targets = targets_from("all"), .dropout = 0.2};
        Adapter adapter = make_adapter(decoder.config(), options, 1, decoder.embedding());
        adapter.dropout_key = 5;
        for (auto& f : adapter.factors)
          if (f.on()) f.b = at::full_like(f.b, 0.1);
        decoder.adapt(std::move(adapter));
      }
      const BatchPlan plan = plan_batch(tiny_rows(4), there);
      const NamedTensors kept = gradients_there(decoder, plan);
      const Checkpointing on;
      EXPECT_TRUE(same_bits(gradients_there(decoder, plan), kept));
    }
}

/// Trains there; tensors of the state are those of the end.
struct RunThere : TinyRun {
  RunThere(Precision precision, bool moments_on_host) {
    NamedTensors weights = random_weights(tiny_config(), 1);
    for (auto& [name, tensor] : weights) tensor = tensor.to(there);
    decoder = Decoder(tiny_config(), weights);
    options.precision = precision;
    options.adamw.moments_on_host = moments_on_host;
    options.checkpoint_every = 4;
    context.checkpoint = [this](CheckpointState state) {
      for (auto* tensors : {&state.parameters, &state.optimizer})
        for (auto& [name, tensor] : *tensors) tensor = tensor.cpu().clone();
      (state.step == 4 ? fourth : last) = std::move(state);
    };
  }
  CheckpointState fourth, last;
};

TEST(DeviceMemory, MomentsOnTheHostGiveTheSameBits) {
  for (const auto precision :
       {Precision::fp32, Precision::bf16_master, Precision::pure_bf16, Precision::kahan}) {
    SCOPED_TRACE(precision_name(precision));
    RunThere whole(precision, false), carried(precision, true), resumed(precision, true);
    whole.go();
    carried.go();
    resumed.context.resume = &whole.fourth;
    resumed.go();
    for (const RunThere* run : {&carried, &resumed}) {
      EXPECT_EQ(run->result.steps, 9);
      EXPECT_TRUE(same_bits(run->last.parameters, whole.last.parameters));
      EXPECT_TRUE(same_bits(run->last.optimizer, whole.last.optimizer));
      EXPECT_EQ(run->sink.steps.back().drift, whole.sink.steps.back().drift);
    }
  }
}

TEST(DeviceMemory, MomentsOnTheHostTakeNothingOfTheDevice) {
  const Decoder decoder = made_there(uneven(2));
  TrainedWeights weights(decoder.parameters(), Precision::pure_bf16, all, false);
  const auto before = pretend::bytes_held();
  const AdamW carried(weights, {.moments_on_host = true});
  EXPECT_EQ(pretend::bytes_held(), before);
  const AdamW kept(weights, {});
  EXPECT_EQ(pretend::bytes_held(), before + 4 * weights.count());
}

/// The most that the device holds in a step, of which the tests' optimizer needs no temporaries.
double held_in_a_step(const LlamaConfig& config, Precision precision, const LoraOptions* lora,
                      const std::vector<Sequence>& rows) {
  TinyRun run;
  const auto empty = pretend::bytes_held();
  run.decoder = made_there(config);
  if (lora != nullptr) run.decoder.adapt(make_adapter(config, *lora, 1, run.decoder.embedding()));
  run.options.precision = precision;
  run.data = {.batch_size = static_cast<std::int64_t>(rows.size()), .epochs = 1};
  Stack<> none;
  pretend::reset();
  run.go(none, rows);
  EXPECT_EQ(run.result.steps, 1);
  return static_cast<double>(pretend::most_held() - empty);
}

TEST(DeviceMemory, TheCountOfAStepIsAtMostAFifthAboveWhatItHolds) {
  LlamaConfig config = uneven(6);
  config.vocab_size = 256;
  config.hidden_size = 128;
  config.intermediate_size = 344;
  config.tie_word_embeddings = false;
  const LoraOptions all{.rank = 4, .targets = targets_from("all")};
  const Adapter adapter = make_adapter(config, all, 1, at::empty({1}, at::kBFloat16));
  const std::vector<Sequence> rows = tiny_rows(60);
  const BatchPlan plan = plan_batch(rows, at::kCPU);
  for (const auto precision : {Precision::pure_bf16, Precision::kahan, Precision::bf16_master})
    for (const bool lora : {false, true})
      for (const bool recomputes : {false, true}) {
        SCOPED_TRACE(std::string(precision_name(precision)) + (lora ? ", LoRA" : "") +
                     (recomputes ? ", checkpointing" : ""));
        std::optional<Checkpointing> on;
        if (recomputes) on.emplace();
        const double held = held_in_a_step(config, precision, lora ? &all : nullptr, rows);
        const MemoryEstimate estimate = estimate_memory({.config = config,
                                                         .precision = precision,
                                                         .cpu = false,
                                                         .loaded_bytes = 2,
                                                         .adapter = lora ? &adapter : nullptr,
                                                         .gradients_leave = !lora,
                                                         .recomputes = recomputes,
                                                         .tokens = plan.tokens,
                                                         .rows = plan.needed.size(0),
                                                         .targets = plan.targets.size(0)});
        double counted = 0;
        for (const auto& part : estimate.phases.at(0).parts)
          if (part.name != "context") counted += part.bytes;
        EXPECT_GE(counted, held);
        EXPECT_LE(counted, 1.2 * held);
      }
}

/// The most that the device held in a forward and a backward pass of factors, per token.
double most_per_token(std::int64_t blocks) {
  Decoder decoder = made_there(uneven(blocks));
  decoder.adapt(make_adapter(decoder.config(), {.rank = 4, .targets = targets_from("q_proj")}, 1,
                             decoder.embedding()));
  const BatchPlan plan = plan_batch(tiny_rows(40), there);
  gradients_there(decoder, plan);
  const auto before = pretend::bytes_held();
  pretend::reset();
  gradients_there(decoder, plan);
  return static_cast<double>(pretend::most_held() - before) / static_cast<double>(plan.tokens);
}

TEST(DeviceMemory, ABackwardPassThatComputesAgainHoldsOneBlockWhole) {
  const double kept = most_per_token(4) - most_per_token(3);
  const Checkpointing on;
  const double inputs = most_per_token(4) - most_per_token(3);
  EXPECT_NEAR(inputs, 2 * 64, 0.05 * 2 * 64);  // bf16, hidden_size
  EXPECT_GT(kept, 5 * inputs);
}

}  // namespace
}  // namespace seawall
