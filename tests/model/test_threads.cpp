// Several threads compute what one does, and there really are several.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <thread>

#include "seawall/model/generate.hpp"
#include "support.hpp"

namespace seawall {
namespace {

/// Large enough for matrix products to be split.
LlamaConfig wide_config() {
  LlamaConfig c = testing::small_config(8, 4, false);
  c.hidden_size = 96;
  c.intermediate_size = 256;
  c.head_dim = 12;
  return c;
}

std::vector<Sequence> wide_rows() {
  std::mt19937 random(3);
  std::vector<Sequence> out;
  const auto root = testing::random_row(random, {}, 9).ids;
  for (int r = 0; r < 12; ++r) out.push_back(testing::random_row(random, root, 30 + r));
  return out;
}

struct Outcome {
  double loss = 0;
  std::vector<Tensor> gradients;
  std::vector<std::vector<std::int32_t>> answers;
};

Outcome computed_on(int threads) {
  Decoder decoder(wide_config(), testing::lively_weights(wide_config(), at::kDouble));
  at::set_num_threads(threads);
  Outcome out;
  decoder.set_requires_grad(true);
  const Tensor loss = decoder.loss(plan_batch(wide_rows(), at::kCPU), LossMode::fused);
  loss.backward();
  out.loss = loss.item<double>();
  for (const auto& p : decoder.parameters()) out.gradients.push_back(p.tensor.grad().clone());
  decoder.set_requires_grad(false);
  std::vector<std::vector<std::int32_t>> prompts;
  for (const auto& row : wide_rows()) prompts.push_back(row.ids);
  GenerateOptions options;
  options.max_new_tokens = 20;
  for (const auto& row : generate(decoder, prompts, options).rows) out.answers.push_back(row.ids);
  at::set_num_threads(1);
  return out;
}

TEST(Threads, AreStarted) {
  at::set_num_threads(2);
  std::mutex lock;
  std::set<std::thread::id> seen;
  at::parallel_for(0, 2, 1, [&](std::int64_t, std::int64_t) {
    const std::lock_guard guard(lock);
    seen.insert(std::this_thread::get_id());
  });
  at::set_num_threads(1);
  EXPECT_EQ(seen.size(), 2u) << "built without OpenMP, at::parallel_for runs on one thread";
}

// Sums over tokens may be cut by thread, so equal up to rounding of fp64 and not bit by bit.
TEST(Threads, ComputeWhatOneDoes) {
  const Outcome one = computed_on(1);
  for (const int threads : {2, 3}) {
    const Outcome more = computed_on(threads);
    EXPECT_NEAR(more.loss, one.loss, 1e-12);
    EXPECT_EQ(more.answers, one.answers);
    for (std::size_t i = 0; i < one.gradients.size(); ++i)
      EXPECT_LT((more.gradients[i] - one.gradients[i]).abs().max().item<double>(),
                1e-12 * (1 + one.gradients[i].abs().max().item<double>()))
          << threads << " threads, parameter " << i;
  }
}

}  // namespace
}  // namespace seawall
