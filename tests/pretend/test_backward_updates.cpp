// Weights that move under the backward pass, against those that move after it: the same bits, and
// gradients that are never all there.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "seawall/core/error.hpp"
#include "tests/pretend/tiny_there.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

using pretend::there;
using namespace testing;

/// A clip norm that clips nothing keeps the gradients until the step.
constexpr double kept = 1e30;

LlamaConfig deep(bool tied) {
  LlamaConfig config = tiny_config();
  config.layers = 8;
  config.hidden_size = 64;
  config.intermediate_size = 176;
  config.tie_word_embeddings = tied;
  return config;
}

struct Course {
  std::vector<StepRecord> steps;
  NamedTensors weights;
  std::int64_t most = 0;  // bytes held
};
Course trained(Precision precision, double clip_norm, bool tied) {
  NamedTensors weights = random_weights(deep(tied), 1);
  for (auto& [name, tensor] : weights) tensor = tensor.to(at::kBFloat16).to(there);
  Decoder decoder(deep(tied), weights);
  FixedRows source(tiny_rows(1), {.batch_size = 1, .epochs = 6}, there);
  MemorySink sink;
  Stack<> none;
  TrainOptions options{.precision = precision, .clip_norm = clip_norm};
  options.schedule.lr = 1e-3;
  pretend::reset();
  train(decoder, source, none, options, sink);
  Course out{sink.steps, {}, pretend::most_held()};
  for (const auto& [name, tensor] : decoder.parameters())
    out.weights.push_back({name, tensor.detach().cpu()});
  return out;
}

TEST(BackwardUpdates, GiveTheSameBits) {
  for (const bool tied : {false, true})
    for (const auto precision :
         {Precision::fp32, Precision::bf16_master, Precision::pure_bf16, Precision::kahan}) {
      SCOPED_TRACE(std::string(precision_name(precision)) + (tied ? ", tied" : ""));
      const Course now = trained(precision, 0, tied), later = trained(precision, kept, tied);
      EXPECT_TRUE(same_bits(now.weights, later.weights));
      ASSERT_EQ(now.steps.size(), 6u);
      for (std::size_t i = 0; i < now.steps.size(); ++i) {
        EXPECT_EQ(now.steps[i].loss, later.steps[i].loss);
        EXPECT_EQ(now.steps[i].moved, later.steps[i].moved);
        EXPECT_EQ(now.steps[i].drift, later.steps[i].drift);
        EXPECT_DOUBLE_EQ(now.steps[i].grad_norm, later.steps[i].grad_norm);
      }
      EXPECT_GT(now.steps[5].drift, 0);
    }
}

TEST(BackwardUpdates, HoldFewGradients) {
  // Eight blocks, of whose gradients one or two are there at a time.
  std::int64_t count = 0;
  for (const auto& [name, tensor] : random_weights(deep(false), 1)) count += tensor.numel();
  const auto saved = trained(Precision::pure_bf16, kept, false).most -
                     trained(Precision::pure_bf16, 0, false).most;
  EXPECT_GT(saved, 2 * count * 7 / 10);
}

TEST(BackwardUpdates, AGradientThatIsNoNumberStopsTheRunAndSaysWhatIsLost) {
  Decoder decoder = on_device(tiny_config(), at::kFloat);
  FixedRows source(tiny_rows(4), {.batch_size = 4, .epochs = 6}, there);
  MemorySink sink;
  // A loss whose value is a number and whose gradient is none: the slope of sqrt at 0 is infinite.
  Stack stack{LostAt{.options = {.call = 3}, .spoiled = [](const Tensor& loss) {
                       return loss + (loss - loss.detach()).sqrt();
                     }}};
  const std::string what =
      message_of<RunError>([&] { train(decoder, source, stack, TrainOptions{}, sink); });
  EXPECT_HAS(what, "step 4: gradient of ");
  EXPECT_HAS(what, "weights have moved by it, the last checkpoint is whole; lower --lr");
  EXPECT_EQ(sink.steps.size(), 3u);
}

}  // namespace
}  // namespace seawall
