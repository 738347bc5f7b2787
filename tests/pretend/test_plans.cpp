// How the plans of batches come onto a device: in one copy that nothing waits for, and while the
// step before is computed there.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "seawall/core/error.hpp"
#include "tests/support/pretend_device.hpp"
#include "tests/train/fixtures.hpp"

namespace seawall {
namespace {

using pretend::Counts;
using pretend::there;
using namespace testing;

Decoder decoder_there(LlamaConfig config, at::ScalarType type) {
  NamedTensors weights = random_weights(config, 1);
  for (auto& [name, tensor] : weights) tensor = tensor.to(type).to(there);
  return Decoder(config, weights);
}

/// Of a plan and of the first loss that is computed of it.
Counts first_use(const LlamaConfig& config, at::ScalarType type, const PlanOptions& options = {}) {
  const Decoder decoder = decoder_there(config, type);
  std::vector<Sequence> rows = tiny_rows(6);
  if (options.embeddings.defined()) rows[2].ids[1] = -1, rows[4].ids[1] = -2;
  pretend::reset();
  const BatchPlan plan = plan_batch(rows, there, options);
  decoder.loss(plan, LossMode::fused);
  return pretend::counts();
}

TEST(PlansThere, ComeInOneCopy) {
  const Counts flash = first_use(tiny_config(), at::kBFloat16);
  EXPECT_EQ(flash.uploads, 1);
  EXPECT_EQ(flash.held_up, 0);
  const Counts pictures =
      first_use(tiny_config(), at::kBFloat16, {.embeddings = at::randn({3, 32})});
  EXPECT_EQ(pictures.uploads, 1);
  EXPECT_EQ(pictures.held_up, 0);
}

TEST(PlansThere, MasksComeInOneMorePerWindow) {
  const Counts masked = first_use(tiny_config(), at::kFloat);
  EXPECT_EQ(masked.uploads, 2);
  EXPECT_EQ(masked.held_up, 0);
  LlamaConfig windowed = tiny_config();
  windowed.family = &family_of("mistral");
  windowed.sliding_window = 4;
  EXPECT_EQ(first_use(windowed, at::kBFloat16).uploads, 2);
}

/// When batches were asked for: how often the host had waited, and how many steps had ended.
struct Asked {
  std::int64_t step, syncs;
  std::size_t ended;
};

struct WatchedRun {
  MemorySink sink;
  std::vector<Asked> asked;
  std::string error;
  /// Six steps, the batch of step `bad` without a target.
  void go(Decoder decoder, std::int64_t bad = -1) {
    GeneratedRows source(
        [&](std::int64_t step) {
          asked.push_back({step, pretend::counts().syncs, sink.steps.size()});
          auto rows = tiny_rows(4, static_cast<std::uint64_t>(step + 1));
          if (step == bad)
            for (auto& row : rows) row.loss.assign(row.loss.size(), 0);
          return rows;
        },
        6, 0, {}, decoder.device());
    Stack<> none;
    pretend::reset();
    try {
      train(decoder, source, none, {}, sink);
    } catch (const DataError& e) {
      error = e.what();
    }
  }
};

TEST(PlansThere, TheNextIsMadeBeforeTheHostWaits) {
  WatchedRun run;
  run.go(decoder_there(tiny_config(), at::kFloat));
  ASSERT_EQ(run.asked.size(), 6u);  // each once
  EXPECT_EQ(run.sink.steps.size(), 6u);
  for (std::size_t i = 1; i < run.asked.size(); ++i) {
    EXPECT_EQ(run.asked[i].step, static_cast<std::int64_t>(i));
    EXPECT_EQ(run.asked[i].ended, i - 1);                             // step i - 1 has not ended,
    EXPECT_EQ(run.asked[i].syncs, run.asked[i - 1].syncs + (i > 1));  // nor been waited for
  }
}

TEST(PlansThere, OnACpuEachIsMadeWhenItsStepBegins) {
  WatchedRun run;
  run.go(tiny_decoder());
  ASSERT_EQ(run.asked.size(), 6u);
  for (std::size_t i = 0; i < run.asked.size(); ++i) EXPECT_EQ(run.asked[i].ended, i);
}

TEST(PlansThere, WhatIsWrongWithTheNextIsSaidOnceThisOneHasEnded) {
  WatchedRun there_run, here;
  there_run.go(decoder_there(tiny_config(), at::kFloat), 3);
  here.go(tiny_decoder(), 3);
  EXPECT_EQ(there_run.sink.steps.size(), 3u);
  EXPECT_NE(there_run.error.find("training rows of step 3"), std::string::npos) << there_run.error;
  EXPECT_EQ(there_run.error, here.error);
}

}  // namespace
}  // namespace seawall
