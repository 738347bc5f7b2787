// The own bf16 path of the CPU: fp32 kernels over weights stored as bf16.
#include <ATen/record_function.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "seawall/model/generate.hpp"
#include "seawall/model/lora.hpp"
#include "support.hpp"
#include "tests/support/tensors.hpp"

namespace seawall {
namespace {

using testing::Composite;
using testing::small_config;

std::set<std::string> bf16_products_seen;

/// Collects the matrix products of ATen that read bf16 while it lives.
struct Bf16Products {
  Bf16Products() {
    bf16_products_seen.clear();
    handle_ = at::addGlobalCallback(
        at::RecordFunctionCallback([](const at::RecordFunction& f)
                                       -> std::unique_ptr<at::ObserverContext> {
          static const std::set<std::string> products{
              "aten::mm",
              "aten::addmm",
              "aten::bmm",
              "aten::baddbmm",
              "aten::matmul",
              "aten::linear",
              "aten::dot",
              "aten::mv",
              "aten::addmv",
              "aten::einsum",
              "aten::conv2d",
              "aten::mkldnn_linear",
              "aten::scaled_dot_product_attention",
              "aten::_scaled_dot_product_flash_attention_for_cpu",
              "aten::_scaled_dot_product_flash_attention_for_cpu_backward"};
          if (products.contains(f.name()))
            for (const auto& input : f.inputs())
              if (input.isTensor() && input.toTensor().defined() &&
                  input.toTensor().scalar_type() == at::kBFloat16)
                bf16_products_seen.insert(f.name());
          return nullptr;
        }).needsInputs(true));
  }
  ~Bf16Products() { at::removeCallback(handle_); }

 private:
  at::CallbackHandle handle_;
};

Decoder decoder_in(const LlamaConfig& config, at::ScalarType type) {
  return Decoder(config, testing::lively_weights(config, type));
}

std::vector<Sequence> dialogue_rows() {
  std::mt19937 random(5);
  std::vector<Sequence> out;
  for (int r = 0; r < 4; ++r) {
    Sequence row;
    for (int t = 0; t < 30; ++t) {
      row.ids.push_back(t < 9 ? t : static_cast<std::int32_t>(random() % 61));
      row.loss.push_back(t > 11);
    }
    out.push_back(row);
  }
  return out;
}

/// A training step, logits and an answer.
void train_and_answer(Decoder& decoder, bool lora) {
  const auto plan = plan_batch(dialogue_rows(), at::kCPU);
  if (lora)
    decoder.adapt(make_adapter(decoder.config(), {.rank = 2, .targets = targets_from("all")}, 1,
                               decoder.embedding()));
  else
    decoder.set_requires_grad(true);
  if (lora)
    for (const auto& [name, tensor] : decoder.adapter()->tensors()) tensor.requires_grad_(true);
  for (const auto mode : {LossMode::fused, LossMode::per_token})
    decoder.loss(decoder.hidden(plan), plan, mode).mean().backward();
  decoder.loss(plan, LossMode::fused).backward();
  decoder.logits(decoder.hidden(plan)).sum().backward();
  decoder.drop_adapter();
  decoder.set_requires_grad(false);
  generate(decoder, {{1, 2, 3}, {1, 2, 4, 5}}, {.max_new_tokens = 3, .residual = true});
}

TEST(Bf16Path, NoProductOfAtenIsReached) {
  auto configs = testing::family_configs();
  configs.push_back(small_config());
  for (const auto& config : configs)
    for (const bool lora : {false, true}) {
      auto decoder = decoder_in(config, at::kBFloat16);
      const Bf16Products products;
      train_and_answer(decoder, lora);
      EXPECT_EQ(bf16_products_seen, std::set<std::string>{})
          << std::string(config.family->type) << lora;
    }
  auto decoder = decoder_in(small_config(), at::kBFloat16);  // and the count sees them
  const Bf16Products products;
  const Composite composite;
  train_and_answer(decoder, false);
  EXPECT_TRUE(bf16_products_seen.contains("aten::linear"));
  EXPECT_TRUE(bf16_products_seen.contains("aten::scaled_dot_product_attention"));
}

/// Distance of two tensors over the size of the second.
double relative_distance(const Tensor& a, const Tensor& b) {
  const Tensor x = a.to(at::kDouble), y = b.to(at::kDouble);
  return ((x - y).norm() / y.norm()).item<double>();
}

TEST(Bf16Path, LogitsAndGradientsAreAsNearToExactOnesAsThePlainOperators) {
  auto configs = testing::family_configs();
  configs.push_back(small_config());
  for (const auto& config : configs) {
    const auto plan = plan_batch(dialogue_rows(), at::kCPU);
    auto narrow = decoder_in(config, at::kBFloat16);
    NamedTensors wide;  // the same values, computed exactly
    for (const auto& [name, tensor] : narrow.parameters())
      wide.push_back({name, tensor.to(at::kDouble)});
    Decoder exact(config, wide);
    const auto run = [&](Decoder& decoder) {
      decoder.set_requires_grad(true);
      for (const auto& [name, tensor] : decoder.parameters()) tensor.mutable_grad() = Tensor();
      std::vector<Tensor> out{decoder.logits(decoder.hidden(plan)).detach()};
      decoder.loss(plan, LossMode::fused).backward();
      for (const auto& [name, tensor] : decoder.parameters()) out.push_back(tensor.grad());
      return out;
    };
    const auto want = run(exact), own = run(narrow);
    std::vector<Tensor> plain;
    {
      const Composite composite;
      plain = run(narrow);
    }
    for (std::size_t i = 0; i < want.size(); ++i) {
      const double ours = relative_distance(own[i], want[i]),
                   theirs = relative_distance(plain[i], want[i]);
      // Fewer roundings than the plain operators, but rounding is chance.
      EXPECT_LT(ours, 2 * theirs + 1.0 / 256) << std::string(config.family->type) << " "
                                              << (i ? narrow.parameters()[i - 1].name : "logits");
      EXPECT_LT(relative_distance(own[i], plain[i]), 2 * theirs + 1.0 / 128) << i;
    }
  }
}

TEST(Bf16Path, FactorsOfAnotherTypeAreRoundedAsThePlainOperatorsDo) {
  const auto config = small_config();
  const auto plan = plan_batch(dialogue_rows(), at::kCPU);
  const auto narrow = decoder_in(config, at::kBFloat16);
  auto adapter = make_adapter(config, {.rank = 2, .alpha = 2, .targets = targets_from("all")}, 1,
                              at::empty({1}));
  NamedTensors factors = adapter.tensors();
  for (auto& [name, tensor] : factors)
    tensor = at::randn_like(tensor).mul_(0.1).to(at::kBFloat16).to(at::kFloat);
  const auto gradients = [&](at::ScalarType weights, at::ScalarType type) {
    NamedTensors values = narrow.parameters(), mine = factors;
    for (auto& [name, tensor] : values) tensor = tensor.to(weights);
    for (auto& [name, tensor] : mine) tensor = tensor.to(type, false, true).requires_grad_(true);
    adapter.replace(mine);
    Decoder decoder(config, values);
    decoder.adapt(adapter);
    decoder.loss(plan, LossMode::fused).backward();
    std::vector<Tensor> out;
    for (auto& [name, tensor] : mine) out.push_back(tensor.grad());
    return out;
  };
  const auto exact = gradients(at::kDouble, at::kDouble);
  std::vector<Tensor> own;
  {
    const Bf16Products products;
    own = gradients(at::kBFloat16, at::kFloat);
    EXPECT_EQ(bf16_products_seen, std::set<std::string>{});
  }
  const Composite composite;
  const auto plain = gradients(at::kBFloat16, at::kFloat);
  for (std::size_t i = 0; i < own.size(); ++i) {
    EXPECT_EQ(own[i].scalar_type(), at::kFloat);
    EXPECT_LT(relative_distance(own[i], exact[i]),
              2 * relative_distance(plain[i], exact[i]) + 1.0 / 256)
        << factors[i].name;
    EXPECT_LT(relative_distance(own[i], exact[i]), 0.2) << factors[i].name;
  }
}

TEST(Bf16Path, AnswersAreThoseOfWholeForwardPasses) {
  for (const auto& config : testing::family_configs()) {
    const auto decoder = decoder_in(config, at::kBFloat16);
    const std::vector<std::vector<std::int32_t>> prompts{{1, 2, 3, 9, 8}, {1, 2, 3, 9, 4, 4}, {7}};
    const auto got = generate(decoder, prompts, {.max_new_tokens = 8, .residual = true});
    for (std::size_t p = 0; p < prompts.size(); ++p) {
      auto ids = prompts[p];
      for (const auto id : got.rows[p].ids) {
        const auto plan = plan_batch({{ids, {}}}, at::kCPU);
        const Tensor logits = decoder.logits(decoder.hidden(plan))[-1].to(at::kFloat);
        // Sums differ in their order: what was chosen is within two roundings of the largest.
        EXPECT_GE(logits[id].item<float>(),
                  logits.max().item<float>() - 0.03 * logits.abs().max().item<float>())
            << std::string(config.family->type) << " prompt " << p;
        ids.push_back(id);
      }
      const auto plan = plan_batch({{prompts[p], {}}}, at::kCPU);
      EXPECT_LT(relative_distance(got.residual[static_cast<std::int64_t>(p)][config.layers],
                                  decoder.hidden(plan)[-1]),
                0.02);
    }
  }
}

}  // namespace
}  // namespace seawall
