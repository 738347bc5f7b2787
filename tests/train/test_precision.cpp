#include "seawall/core/error.hpp"
#include "seawall/train/optimizer.hpp"
#include "seawall/train/precision.hpp"
#include "tests/train/fixtures.hpp"
#include "tests/train/recording_policy.hpp"

namespace seawall {
namespace {

using testing::all;
using testing::TinyRun;

/// 200 steps of 2e-5 with gradients of one sign on average; the stored weights afterwards.
Tensor walk(Precision precision, const Tensor& start, double& moved) {
  Rng rng(9);
  TrainedWeights weights({{"w", start}}, precision, all, false);
  AdamW adam(weights, {});
  moved = 0;
  for (int t = 0; t < 200; ++t) {
    Tensor value = weights.params()[0].value;
    value.mutable_grad() =
        at::full(start.sizes(), rng.uniform() + 0.1, value.options().requires_grad(false));
    moved += adam.step(2e-5).moved / 200;
    weights.publish();
  }
  return weights.stored(0).to(at::kFloat).clone();
}

TEST(Precision, PureBf16LosesTheUpdatesThatTheOthersKeep) {
  // Weights of 0.1 to 1: half a unit in the last place of bf16 is 2^-12 to 2^-9, an update about
  // 2e-5.
  const Tensor start = at::linspace(0.1, 1.0, 4096).to(at::kBFloat16).to(at::kFloat);
  double moved_fp32 = 0, moved_pure = 0, moved_master = 0, moved_kahan = 0;
  const Tensor exact = walk(Precision::fp32, start, moved_fp32),
               pure = walk(Precision::pure_bf16, start, moved_pure),
               master = walk(Precision::bf16_master, start, moved_master),
               kahan = walk(Precision::kahan, start, moved_kahan);
  EXPECT_NEAR(moved_fp32, 1.0, 1e-9);
  EXPECT_EQ(moved_pure, 0.0);  // every update rounds away
  EXPECT_TRUE(testing::same_bits(pure, start));
  EXPECT_GT(moved_master, 0.99);
  EXPECT_GT(moved_kahan, 0.99);
  const double way = exact.sub(start).abs().mean().item<double>();
  EXPECT_GT(way, 0.003);  // 200 steps of nearly 2e-5
  // Gradients are rounded to bf16 (relative 2^-9), which Adam's ratio m/sqrt(v) mostly cancels.
  EXPECT_LT(master.sub(exact).abs().max().item<double>(), 0.01 * way);
  // Moments in bf16 as well: the second one cannot fall slower than 2^-8 a step, so steps come out
  // some per cent off.
  EXPECT_LT(kahan.sub(exact).abs().max().item<double>(), 0.15 * way);
}

TEST(Precision, MasterTrainingFollowsFp32) {
  TinyRun fp32, master, kahan, pure;
  for (auto [run, precision] :
       {std::pair{&fp32, Precision::fp32}, std::pair{&master, Precision::bf16_master},
        std::pair{&kahan, Precision::kahan}, std::pair{&pure, Precision::pure_bf16}}) {
    run->options.precision = precision;
    run->go();
    ASSERT_EQ(run->sink.steps.size(), 9u);
    // bf16 forward passes: losses agree to the 2^-8 of their activations.
    for (std::size_t i = 0; i < 9; ++i)
      EXPECT_NEAR(run->sink.steps[i].loss, fp32.sink.steps[i].loss, 0.03)
          << precision_name(precision) << " " << i;
  }
  EXPECT_EQ(fp32.decoder.dtype(), at::kFloat);
  EXPECT_EQ(master.decoder.dtype(), at::kBFloat16);
  EXPECT_NEAR(master.result.final.drift, fp32.result.final.drift, 0.1 * fp32.result.final.drift);
  EXPECT_NEAR(kahan.result.final.drift, fp32.result.final.drift, 0.1 * fp32.result.final.drift);
  EXPECT_GT(fp32.sink.steps[3].moved, 0.9);
  EXPECT_LT(pure.sink.steps[3].moved, fp32.sink.steps[3].moved);
}

TEST(Precision, AccumulationUnderAMasterAddsInFp32) {
  TrainedWeights weights({{"w", at::ones({2})}}, Precision::bf16_master, all, false);
  weights.clear_gradients(2);
  const Tensor value = weights.params()[0].value;
  value.mul(256.0).sum().backward();
  value.mul(0.5).sum().backward();
  EXPECT_EQ(weights.gradient(0)[0].item<float>(), 256.5f);  // in bf16 it would round to 256
}

TEST(Precision, DoorsForHooksAreTheSameUnderKahan) {
  // With and without an fp32 master for hooks, the stored weights take the same path.
  const Tensor start = at::randn({300});
  TrainedWeights lean({{"w", start}}, Precision::kahan, all, false),
      full({{"w", start}}, Precision::kahan, all, true);
  AdamW a(lean, {}), b(full, {});
  for (int t = 0; t < 5; ++t) {
    const Tensor g = at::randn({300}).to(at::kBFloat16);
    for (auto* weights : {&lean, &full}) {
      Tensor value = weights->params()[0].value;
      value.mutable_grad() = g.clone();
    }
    const double moved = a.step(1e-3).moved;
    EXPECT_EQ(b.step(1e-3).moved, moved);
    lean.publish();
    full.publish();
    EXPECT_TRUE(testing::same_bits(lean.params()[0].value, full.params()[0].value));
    EXPECT_TRUE(testing::same_bits(lean.term(0), full.term(0)));
  }
}

TEST(Precision, AMasterKeepsABf16StartAsItIs) {
  const Tensor narrow = at::randn({64}).to(at::kBFloat16), wide = narrow.to(at::kFloat);
  for (const Tensor& from : {narrow, wide}) {
    TrainedWeights weights({{"w", from}}, Precision::bf16_master, all, false);
    EXPECT_EQ(weights.params()[0].start.const_data_ptr(), from.const_data_ptr());  // no copy
    EXPECT_TRUE(testing::same_bits(weights.params()[0].master, wide));
    weights.set_start({{"w", narrow.neg()}});
    EXPECT_TRUE(testing::same_bits(weights.params()[0].start, narrow.neg()));
  }
}

TEST(Precision, ABf16StartTrainsToTheBitsOfTheSameInFp32) {
  for (const std::int64_t micro_batch_size : {0, 3})  // gradients of bf16, and summed in fp32
    for (const bool hook : {false, true}) {
      TinyRun narrow, wide;
      for (auto [run, type] : {std::pair{&narrow, at::kBFloat16}, std::pair{&wide, at::kFloat}}) {
        NamedTensors weights = random_weights(testing::tiny_config(), 1);
        for (auto& [name, tensor] : weights) tensor = tensor.to(at::kBFloat16).to(type);
        run->decoder = Decoder(testing::tiny_config(), weights);
        run->options.precision = Precision::bf16_master;
        run->data.micro_batch_size = micro_batch_size;
        Stack<> none;
        Stack pulls{testing::PullAfter{}};
        hook ? run->go(pulls) : run->go(none);
      }
      EXPECT_TRUE(testing::same_bits(narrow.decoder.parameters(), wide.decoder.parameters()));
      ASSERT_EQ(narrow.sink.steps.size(), 9u);
      for (std::size_t i = 0; i < 9; ++i) {
        const StepRecord &a = narrow.sink.steps[i], &b = wide.sink.steps[i];
        EXPECT_EQ(a.loss, b.loss);
        EXPECT_EQ(a.moved, b.moved);
        EXPECT_EQ(a.drift, b.drift);
        EXPECT_GT(a.drift, 0);
      }
    }
}

TEST(Precision, WhatCannotTrainIsSaid) {
  EXPECT_THROW(precision_from("fp16"), UsageError);
  EXPECT_EQ(precision_from("pure-bf16"), Precision::pure_bf16);
  EXPECT_THROW(TrainedWeights(
                   {{"w", at::zeros({3})}}, Precision::fp32, [](auto) { return false; }, false),
               UsageError);
  EXPECT_THROW(TrainedWeights({{"w", at::zeros({3}, at::kInt)}}, Precision::fp32, all, false),
               UsageError);
}

}  // namespace
}  // namespace seawall
