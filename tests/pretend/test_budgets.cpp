// What a step of training may cost on a device, counted on the pretended one: launches, bytes, and
// the times that the host waits.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "mitigations/weight_drift.hpp"
#include "seawall/core/error.hpp"
#include "tests/pretend/tiny_there.hpp"

namespace seawall {
namespace {

using pretend::Counts;
using pretend::there;
using namespace testing;

/// Counts each step on its own.
struct CountingSink final : TraceSink {
  std::vector<Counts> steps;
  void on_step(const StepRecord&) override {
    steps.push_back(pretend::counts());
    pretend::reset();
  }
  void on_evaluation(EvaluationRecord) override {}
  bool wants_residual() const override { return false; }
};

struct StepOf {
  Precision precision = Precision::pure_bf16;
  std::int64_t layers = 2, micro_batch_size = 0;
  double clip_norm = 0;
  bool lora = false, moments_on_host = false;
};
/// Of a step whose plan has been made before, as all are from the second epoch on.
template <StackLike S>
Counts a_step(const StepOf& asked, S stack) {
  Decoder decoder = on_device(of_layers(asked.layers));
  if (asked.lora)
    decoder.adapt(make_adapter(decoder.config(), {.targets = targets_from("q_proj,v_proj")}, 1,
                               decoder.embedding()));
  FixedRows source(tiny_rows(4),
                   {.batch_size = 4, .micro_batch_size = asked.micro_batch_size, .epochs = 3},
                   there);
  CountingSink sink;
  pretend::reset();
  train(decoder, source, stack,
        {.adamw = {.moments_on_host = asked.moments_on_host},
         .precision = asked.precision,
         .clip_norm = asked.clip_norm},
        sink);
  return sink.steps.at(1);
}

TEST(Budget, TheHostWaitsOnceAStep) {
  for (const auto precision :
       {Precision::fp32, Precision::bf16_master, Precision::pure_bf16, Precision::kahan})
    for (const bool lora : {false, true}) {
      SCOPED_TRACE(precision_name(precision));
      EXPECT_EQ(a_step({.precision = precision, .lora = lora}, Stack<>{}).syncs, 1);
    }
  EXPECT_EQ(a_step({.clip_norm = 1}, Stack<>{}).syncs, 1);
  EXPECT_EQ(a_step({.micro_batch_size = 1}, Stack<>{}).syncs, 1);
  EXPECT_EQ(a_step({.moments_on_host = true}, Stack<>{}).syncs, 1);
}

TEST(Budget, AStepOfAKnownPlanUploadsNothing) {
  EXPECT_EQ(a_step({}, Stack<>{}).uploads, 0);
  EXPECT_EQ(a_step({.micro_batch_size = 1}, Stack<>{}).uploads, 0);
}

TEST(Budget, NothingIsAddedInAnyOrder) {
  // On a GPU sums by index add in any order. Two are left, of the rows that the last block goes on
  // with after attention, each of which comes once; attention and the head have none.
  std::int64_t sums = 0;
  for (const auto& [name, counted] : a_step({}, Stack<>{}).operators)
    if (name.starts_with("aten::index_add") || name.starts_with("aten::index_put"))
      sums += counted.launches;
  EXPECT_EQ(sums, 2);
}

TEST(Budget, AfterAttentionTheLastBlockTakesOnlyWhatPredicts) {
  const Decoder decoder = on_device(of_layers(1));
  const BatchPlan plan = plan_batch(tiny_rows(6), there);
  pretend::reset();
  decoder.loss(plan, LossMode::fused);
  const auto wanted = plan.needed.size(0);
  ASSERT_LT(wanted, plan.tokens);
  // The gate reads two rows of bf16 and writes one.
  EXPECT_EQ(pretend::counts().operators.at("seawall::gated").bytes,
            3 * 2 * wanted * tiny_config().intermediate_size);
}

TEST(Budget, AHookBetweenBackwardAndUpdateCostsItsWaits) {
  // It must not see gradients that are not finite, and may be the one that spoils them.
  Stack stack{WeightDrift{{.lambda = 1e-2}}};
  EXPECT_LE(a_step({}, stack).syncs, 5);
}

/// Bytes a weight that the norm of the gradients, the update, its facts and the copy into values
/// move; `plain`: by ATen's operators.
double optimizer_bytes(Precision precision, bool plain = false) {
  Decoder decoder =
      on_device(tiny_config(), precision == Precision::fp32 ? at::kFloat : at::kBFloat16);
  TrainedWeights weights(decoder.parameters(), precision, all, false);
  AdamW adam(weights, {});
  for (const Param& param : weights.params())
    param.value.mutable_grad() = at::ones_like(param.value).mul(1e-3);
  const Tensor guard = at::ones({2}, at::TensorOptions(there));
  std::vector<device::AdamWTensors> tensors;
  for (std::size_t i = 0; plain && i < weights.size(); ++i) {
    const Param& param = weights.params()[i];
    const Tensor weight = param.master.detach();
    tensors.push_back(
        {weight, weights.gradient(i), at::zeros_like(weight), at::zeros_like(weight), param.start});
  }
  pretend::reset();
  adam.gradient_norms();
  if (!plain) adam.step_there(1e-3, guard);
  for (const auto& each : tensors) device::plain_adamw({.lr = 1e-3}, each, guard);
  weights.publish();
  return static_cast<double>(pretend::counts().sum().bytes) / static_cast<double>(weights.count());
}

TEST(Budget, TheOptimizerMovesFewBytesAWeight) {
  // pure-bf16: w, m, v read and written, gradient and start read, the gradient once more for its
  // norm: 18. The scalars of a tensor are 2 % here.
  EXPECT_LE(optimizer_bytes(Precision::pure_bf16), 18.5);
  const double plain = optimizer_bytes(Precision::pure_bf16, true);
  RecordProperty("plain_bytes", static_cast<int>(plain));  // what a GPU runs today
  EXPECT_GT(plain, 2 * optimizer_bytes(Precision::pure_bf16));
  EXPECT_LE(optimizer_bytes(Precision::kahan), 22.5);
  EXPECT_LE(optimizer_bytes(Precision::fp32), 36.8);
  // Start and gradient in bf16, and 6 for the rounded copy.
  EXPECT_LE(optimizer_bytes(Precision::bf16_master), 38.6);
}

TEST(Budget, LaunchesABlock) {
  const auto launches = [](std::int64_t layers) {
    const Counts counts = a_step({.layers = layers}, Stack<>{});
    std::int64_t optimizer = 0;
    for (const auto& [name, counted] : counts.operators)
      if (name == "seawall::adamw" || name.starts_with("aten::linalg_vector_norm"))
        optimizer += counted.launches;
    return counts.sum().launches - optimizer;
  };
  // Forward and backward of one.
  const auto block = launches(3) - launches(2);
  RecordProperty("launches_a_block", static_cast<int>(block));
  EXPECT_LE(block, 60);
}

TEST(Budget, WhatIsNotComputedIsCountedAlike) {
  // The predictions of bench/gpu are of such counts.
  for (const bool lora : {false, true}) {
    const Counts computed = a_step({.lora = lora}, Stack<>{});
    pretend::count_only(std::size_t{1} << 30, 1024);
    const Counts counted = a_step({.lora = lora}, Stack<>{});
    pretend::compute_all();
    EXPECT_EQ(counted.products, computed.products);
    ASSERT_EQ(counted.operators.size(), computed.operators.size());
    for (const auto& [name, want] : computed.operators) {
      SCOPED_TRACE(name);
      const auto& got = counted.operators.at(name);
      EXPECT_EQ(got.launches, want.launches);
      EXPECT_EQ(got.bytes, want.bytes);
      EXPECT_EQ(got.pairs, want.pairs);
    }
    EXPECT_EQ(counted.syncs, 1);
  }
}

TEST(Budget, OnlyThePicturesOfAPlanGoThere) {
  const Decoder there_too = on_device(tiny_config(), at::kFloat), here = tiny_decoder();
  const Tensor table = at::randn({1000, 32});
  const std::vector<Sequence> rows{{{3, -900, -7, 4}, {0, 0, 0, 1}},
                                   {{5, -7, -21, 6}, {0, 0, 0, 1}}};
  const PlanOptions options{.embeddings = table};
  const BatchPlan plan = plan_batch(rows, there, options);
  EXPECT_EQ(plan.embeddings.size(0), 3);
  EXPECT_NEAR(there_too.loss(plan, LossMode::fused).item<double>(),
              here.loss(plan_batch(rows, at::kCPU, options), LossMode::fused).item<double>(), 1e-5);
}

struct DeviceRun : TinyRun {
  DeviceRun() { decoder = on_device(tiny_config(), at::kFloat); }
  std::string stopped(std::int64_t at) {
    Stack stack{LostAt{{.call = at}}};
    try {
      go(stack);
    } catch (const RunError& error) {
      return error.what();
    }
    return "it ended";
  }
};

TEST(Budget, ALossThatIsNoNumberMovesNothingThere) {
  DeviceRun run, six;
  EXPECT_EQ(run.stopped(6),
            "step 7: loss is NaN; the weights are those of step 6; lower --lr, look at the rows, "
            "or pass --on-nan skip");
  EXPECT_EQ(run.sink.steps.size(), 6u);
  six.data.steps = 6;
  EXPECT_EQ(six.stopped(-1), "it ended");
  EXPECT_TRUE(same_bits(run.decoder.parameters(), six.decoder.parameters()));
}

TEST(Budget, AStepLeftOutThereIsTheOneLeftOutHere) {
  DeviceRun run;
  TinyRun here;
  Stack stack{LostAt{{.call = 4}}};
  run.options.on_nan = here.options.on_nan = OnNan::skip;
  EXPECT_EQ(run.stopped(4), "it ended");
  here.go(stack);
  EXPECT_EQ(run.result.skipped, 1);
  ASSERT_EQ(run.sink.steps.size(), here.sink.steps.size());
  EXPECT_EQ(run.sink.steps[4].moved, 0);
  EXPECT_EQ(run.sink.steps[4].drift, run.sink.steps[3].drift);
  for (std::size_t i = 0; i < run.sink.steps.size(); ++i) {
    const StepRecord &got = run.sink.steps[i], &want = here.sink.steps[i];
    if (i != 4) {
      EXPECT_NEAR(got.loss, want.loss, 1e-5);  // rounding of another order
      EXPECT_NEAR(got.grad_norm, want.grad_norm, 1e-4);
    }
    EXPECT_EQ(std::isnan(got.grad_norm), i == 4);
    EXPECT_EQ(std::isnan(want.grad_norm), i == 4);
    EXPECT_NEAR(got.drift, want.drift, 1e-4 * want.drift);
    EXPECT_NEAR(got.moved, want.moved, 1e-3);
  }
}

}  // namespace
}  // namespace seawall
