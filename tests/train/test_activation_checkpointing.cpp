// Activation checkpointing on a CPU: what is computed twice has the bits of what is kept.
#include <ATen/Functions.h>

#include "seawall/core/error.hpp"
#include "seawall/model/runtime.hpp"
#include "tests/model/support.hpp"
#include "tests/support/checkpointing.hpp"
#include "tests/support/files.hpp"
#include "tests/train/fixtures.hpp"
#include "tests/train/recording_policy.hpp"

namespace seawall {
namespace {

using namespace testing;

/// The loss and every gradient, of the factors if there are some.
NamedTensors loss_and_gradients(Decoder& decoder, const BatchPlan& plan,
                                const ForwardHooks& hooks = {}) {
  const NamedTensors leaves =
      decoder.adapter() ? decoder.adapter()->tensors() : decoder.parameters();
  for (const auto& [name, tensor] : leaves) {
    tensor.mutable_grad() = Tensor();
    tensor.set_requires_grad(true);
  }
  const Tensor loss = decoder.loss(plan, LossMode::fused, hooks);
  loss.backward();
  NamedTensors out{{"loss", loss.detach()}};
  for (const auto& [name, tensor] : leaves) out.push_back({name, tensor.grad()});
  return out;
}

void expect_same_gradients(Decoder& decoder, const BatchPlan& plan) {
  const NamedTensors kept = loss_and_gradients(decoder, plan);
  const Checkpointing on;
  EXPECT_TRUE(same_bits(loss_and_gradients(decoder, plan), kept));
}

/// Two rows that share a prefix.
BatchPlan shared_plan() {
  std::mt19937 random(3);
  const auto root = random_row(random, {}, 9).ids;
  return plan_batch({random_row(random, root, 4), random_row(random, root, 20)}, at::kCPU);
}

/// On the hand-written layers and on plain operators.
class ActivationCheckpointing : public ::testing::TestWithParam<ComputePath> {
 protected:
  void SetUp() override { set_compute_path(GetParam()); }
  void TearDown() override { set_compute_path(ComputePath::fused); }
};

TEST_P(ActivationCheckpointing, GivesTheSameGradients) {
  std::vector<LlamaConfig> configs = family_configs();
  configs.push_back(small_config());
  const BatchPlan plan = shared_plan();
  for (const auto& config : configs)
    for (const auto type : {at::kDouble, at::kFloat, at::kBFloat16}) {
      SCOPED_TRACE(std::string(config.family->type) + " " + c10::toString(type));
      Decoder decoder = small_decoder(config, type);
      expect_same_gradients(decoder, plan);
      LoraOptions lora{.rank = 3, .targets = targets_from("all"), .dropout = 0.3};
      Adapter adapter = make_adapter(config, lora, 7, decoder.embedding().detach());
      adapter.dropout_key = 11;
      for (auto& f : adapter.factors)
        if (f.on()) f.b.normal_(0, 0.3);
      decoder.set_requires_grad(false);
      decoder.adapt(std::move(adapter));
      expect_same_gradients(decoder, plan);
    }
}

TEST_P(ActivationCheckpointing, ShowsABlockOnce) {
  Decoder decoder = small_decoder(small_config());
  const BatchPlan plan = shared_plan();
  using Kind = TapPoint::Kind;
  for (const bool edits : {false, true})
    for (const Taps taps : {Kind::embed | Kind::resid_post, Taps(Kind::mlp_out)}) {
      int calls = 0;
      ForwardHooks hooks;
      hooks.taps = taps;
      const auto counted = [&](const TapPoint&, const Tensor& x) { return ++calls, x * 1.5; };
      if (edits)
        hooks.edit = counted;
      else
        hooks.take = counted;
      const NamedTensors kept = loss_and_gradients(decoder, plan, hooks);
      const int want = std::exchange(calls, 0);
      const Checkpointing on;
      EXPECT_TRUE(same_bits(loss_and_gradients(decoder, plan, hooks), kept));
      EXPECT_EQ(calls, want);
      EXPECT_GE(calls, 3);
    }
}

TEST_P(ActivationCheckpointing, SaysWhatItCannot) {
  const Checkpointing on;
  Decoder decoder = small_decoder(small_config());
  const BatchPlan plan = shared_plan();
  decoder.set_requires_grad(true);
  const auto refused = [&](bool create_graph) {
    return message_of<RunError>([&] {
      const Tensor loss = decoder.hidden(plan).sum();  // the head has no second derivative
      const Tensor weight = decoder.layer_weights()[1];
      const at::NoGradGuard no_grad;
      if (!create_graph) weight.mul_(2);
      loss.backward({}, false, create_graph);
    });
  };
  EXPECT_NE(refused(true).find("--activation-checkpointing"), std::string::npos) << refused(true);
  EXPECT_NE(refused(false).find("changed in place"), std::string::npos);
}
INSTANTIATE_TEST_SUITE_P(Path, ActivationCheckpointing,
                         ::testing::Values(ComputePath::fused, ComputePath::composite),
                         [](const auto& info) {
                           return std::string(info.param == ComputePath::fused ? "fused"
                                                                               : "composite");
                         });

TEST(ActivationCheckpointingRun, TrainsToTheSameBits) {
  for (const auto precision : {Precision::fp32, Precision::bf16_master, Precision::pure_bf16})
    for (const std::int64_t micro_batch_size : {0, 3}) {
      const auto trained = [&](const char* what) {
        TinyRun run;
        run.options.precision = precision;
        run.data.micro_batch_size = micro_batch_size;
        Stack stack{Uphill{}, PullAfter{}};
        run.go(stack);
        EXPECT_EQ(run.result.steps, 9) << what;
        return copy_of(run.decoder.parameters());
      };
      const NamedTensors kept = trained("kept");
      const Checkpointing on;
      EXPECT_TRUE(same_bits(trained("computed again"), kept)) << precision_name(precision);
    }
}

}  // namespace
}  // namespace seawall
