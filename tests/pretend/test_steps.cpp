// What a decoding step is made of, on the pretended device: the choice of tokens, and graphs.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/step_graph.hpp"
#include "model/token_choice.hpp"
#include "seawall/core/rng.hpp"
#include "seawall/model/decoding.hpp"
#include "tests/pretend/tiny_there.hpp"
#include "tests/support/files.hpp"
#include "tests/support/pretend_device.hpp"

namespace seawall {
namespace {

using pretend::there;
using namespace testing;

TEST(TokenChoice, DrawsWhatTheHostDraws) {
  constexpr std::int64_t rows = 400, v = 97;
  const Tensor logits = at::randn({rows, v}, at::detail::createCPUGenerator(5)) * 2;
  std::vector<double> uniforms;
  Rng rng(8);
  for (std::int64_t r = 0; r < rows; ++r) uniforms.push_back(rng.uniform());
  uniforms[0] = 0;
  uniforms[1] = std::nextafter(1.0, 0.0);
  const Tensor there_uniforms = at::tensor(uniforms, at::kDouble).to(there);
  for (const double temperature : {0.3, 1.0, 1.7})
    for (const double top_p : {1.0, 0.9, 0.4, 1e-9}) {
      SCOPED_TRACE(::testing::Message() << temperature << " " << top_p);
      const auto drawn =  // some rows at a time
          draw_tokens(logits.to(there), temperature, top_p, there_uniforms, 150 * v);
      const Tensor ids = drawn.ids.to(at::kCPU);
      EXPECT_TRUE(drawn.finite.to(at::kCPU).all().item<bool>());
      for (std::int64_t r = 0; r < rows; ++r) {
        const Tensor copy = logits[r].clone();
        const std::span<float> scores(copy.mutable_data_ptr<float>(), v);
        warp(temperature, top_p, scores);
        EXPECT_EQ(ids[r].item<std::int64_t>(), draw(scores, uniforms[static_cast<std::size_t>(r)]))
            << r;
      }
    }
}

TEST(TokenChoice, ARowWithoutProbabilitiesIsSaidToHaveNone) {
  Tensor logits = at::zeros({3, 5});
  logits[1][2] = std::numeric_limits<float>::quiet_NaN();
  logits[2].fill_(-std::numeric_limits<float>::infinity());
  const auto drawn =
      draw_tokens(logits.to(there), 1, 0.9, at::full({3}, 0.5, at::kDouble).to(there));
  const Tensor finite = drawn.finite.to(at::kCPU);
  EXPECT_TRUE(finite[0].item<bool>());
  EXPECT_FALSE(finite[1].item<bool>());
  EXPECT_FALSE(finite[2].item<bool>());
}

TEST(Graph, ACaptureChangesNothingAndAReplayDoes) {
  if (!pretend::has_graphs) GTEST_SKIP() << "this libtorch has no graphs";
  const Tensor x = at::ones({4}).to(there);
  Tensor twice;
  ASSERT_TRUE(StepGraph::can(there));
  EXPECT_FALSE(StepGraph::can(at::kCPU));
  StepGraph graph;
  graph.capture(there, [&] {
    x.add_(1);
    twice = x.mul(2) + at::arange(4, x.options());
  });
  EXPECT_EQ(x.to(at::kCPU).sum().item<double>(), 4);
  EXPECT_TRUE(twice.to(at::kCPU).isnan().all().item<bool>());
  for (const double want : {2.0, 3.0}) {
    graph.replay();
    EXPECT_EQ(x.to(at::kCPU).sum().item<double>(), 4 * want);
    EXPECT_EQ(twice.to(at::kCPU).sum().item<double>(), 8 * want + 6);
  }
}

TEST(Graph, AForwardAndABackwardPassAreCaptured) {
  if (!pretend::has_graphs) GTEST_SKIP() << "this libtorch has no graphs";
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    Decoder decoder = on_device(tiny_config(), type);
    decoder.set_requires_grad(true);
    const BatchPlan plan = plan_batch(tiny_rows(4), there);
    Tensor loss;
    const auto pass = [&] {
      loss = decoder.loss(plan, LossMode::fused);
      loss.backward();
      loss = loss.detach();
    };
    const auto results = [&] {
      NamedTensors out{{"loss", loss.cpu().clone()}};
      for (const auto& [name, weight] : decoder.parameters())
        out.push_back({name, weight.grad().cpu().clone()});
      return out;
    };
    pass();
    const NamedTensors want = results();
    for (const auto& [name, weight] : decoder.parameters()) weight.mutable_grad() = Tensor();
    StepGraph graph;
    graph.capture(there, pass);
    EXPECT_TRUE(std::isnan(loss.item<double>()));  // nothing ran
    graph.replay();
    EXPECT_TRUE(same_bits(results(), want));
  }
}

TEST(Graph, WhatNoGpuCapturesIsRefused) {
  if (!pretend::has_graphs) GTEST_SKIP() << "this libtorch has no graphs";
  const Tensor x = at::ones({4}).to(there), host = at::ones({4});
  const auto message = [&](const std::function<void()>& work) -> std::string {
    StepGraph graph;
    try {
      graph.capture(there, work);
    } catch (const c10::Error& error) {
      return error.what_without_backtrace();
    }
    return "captured";
  };
  EXPECT_HAS(message([&] { x.sum().item<double>(); }), "a value that the host reads");
  EXPECT_HAS(message([&] { x.to(at::kCPU); }), "a copy from or to the host");
  EXPECT_HAS(message([&] { x.add_(host.to(there)); }), "a copy from or to the host");
  EXPECT_HAS(message([&] { x.resize_({9}); }), "a tensor that grows");
  EXPECT_EQ(message([&] { x.mul_(2); }), "captured");
}

}  // namespace
}  // namespace seawall
