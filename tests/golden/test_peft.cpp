// Adapters that PEFT wrote, against its logits and merged weights; made by
// data/golden/make_peft_tiny.py.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <filesystem>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/model/decoder.hpp"
#include "seawall/model/files.hpp"
#include "seawall/model/peft.hpp"
#include "tests/golden/golden.hpp"

namespace seawall {
namespace {

using testing::golden_folder;
using testing::golden_tensors;
using testing::largest_difference;

const std::vector<std::int32_t> row{1, 17, 250, 33, 33, 9, 40, 41, 299, 7, 102, 55, 2, 2};

/// The model that an adapter was made for.
std::string start_of(const std::string& adapter) {
  return adapter == "peft_fused" ? "families/phi3" : "llama_tiny_untied";
}

Decoder base(const std::string& adapter, at::ScalarType type) {
  auto folder = read_hf_folder(golden_folder() / start_of(adapter));
  for (auto& [name, tensor] : folder.weights) tensor = tensor.to(type);
  return {folder.config, folder.weights};
}

class PeftGolden : public ::testing::TestWithParam<const char*> {
 protected:
  std::filesystem::path folder_ = golden_folder() / GetParam();
  std::map<std::string, Tensor> golden_ =
      golden_tensors(std::string(GetParam()) + "/golden.safetensors");
  Tensor logits_ = golden_["logits"].to(at::kDouble) + golden_["logits.rest"].to(at::kDouble);

  static Tensor logits_of(const Decoder& decoder) {
    const at::NoGradGuard no_grad;
    auto ids = row;
    for (auto& id : ids) id %= static_cast<std::int32_t>(decoder.config().vocab_size);
    return decoder.logits(decoder.hidden(plan_batch({{ids, {}}}, at::kCPU)));
  }
  /// The adapter in fp64, so that nothing but formulas is compared.
  static void widen(Adapter& adapter) {
    NamedTensors wide;
    for (const auto& [name, tensor] : adapter.tensors())
      wide.push_back({name, tensor.to(at::kDouble)});
    adapter.replace(wide);
  }
};

// Both sides are fp64 from the same fp32 values; logits are up to 20, so 1e-6 is far above rounding
// and far below any wrong scale, order or missing factor.
TEST_P(PeftGolden, LogitsBesideAndMergedAreThoseOfPeft) {
  Decoder decoder = base(GetParam(), at::kDouble);
  Adapter adapter = read_peft(folder_, decoder.config());
  widen(adapter);
  EXPECT_GT(largest_difference(logits_of(decoder), logits_), 1);
  decoder.adapt(std::move(adapter));
  EXPECT_LT(largest_difference(logits_of(decoder), logits_), 1e-6);
  decoder.merge();
  EXPECT_LT(largest_difference(logits_of(decoder), logits_), 1e-6);
}

// PEFT merges in fp32 as well; sums of r products may be rounded once more or less: weights are up
// to 2, 2^-23 apart.
TEST_P(PeftGolden, MergedWeightsAreThoseOfPeft) {
  Decoder decoder = base(GetParam(), at::kFloat);
  decoder.adapt(read_peft(folder_, decoder.config()));
  const NamedTensors before = decoder.parameters();
  decoder.merge();
  std::size_t changed = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const auto& [name, tensor] = decoder.parameters()[i];
    const auto want = golden_.find("merged." + name);
    EXPECT_EQ(tensor.is_same(before[i].tensor), want == golden_.end()) << name;
    if (want == golden_.end()) continue;
    ++changed;
    EXPECT_LT(largest_difference(tensor, want->second), 1e-6) << name;
  }
  EXPECT_EQ(changed + 2, golden_.size());
}

TEST_P(PeftGolden, WhatIsWrittenReadsBackToTheSameBits) {
  const Decoder decoder = base(GetParam(), at::kFloat);
  const Adapter adapter = read_peft(folder_, decoder.config());
  const auto out = std::filesystem::path(::testing::TempDir()) /
                   ("seawall-peft-out-" + std::to_string(::getpid()));
  std::filesystem::create_directories(out);
  write_peft(out, adapter, "llama_tiny_untied");
  const Adapter again = read_peft(out, decoder.config());
  const auto a = adapter.tensors(), b = again.tensors();
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].name, b[i].name);
    EXPECT_TRUE(a[i].tensor.equal(b[i].tensor)) << a[i].name;
  }
  for (std::size_t i = 0; i < adapter.factors.size(); ++i)
    EXPECT_EQ(adapter.factors[i].scale, again.factors[i].scale) << i;
  EXPECT_EQ(again.options.dropout, adapter.options.dropout);
  // These very bytes were loaded by peft 0.21.2 to the golden logits
  // (make_peft_tiny.py --check); written otherwise they have to be checked again.
  const std::map<std::string, std::pair<const char*, const char*>> bytes{
      {"peft_tiny", {"b136d6bdf5b2fee3", "fd431aee2499cd09"}},
      {"peft_patterns", {"1bcb7f2453c9bc5b", "88e30f34cf7d35a2"}},
      {"peft_fused", {"5da8c7798eb37b60", "9a8fd2d674ad0a45"}}};
  const auto [config_hash, weights_hash] = bytes.at(GetParam());
  EXPECT_EQ(sha256_hex(read_file(out / adapter_config)).substr(0, 16), config_hash);
  EXPECT_EQ(sha256_hex(read_file(out / adapter_weights)).substr(0, 16), weights_hash);
  std::filesystem::remove_all(out);
}

/// What is merged when it is read: DoRA, whole modules, factors of the embedding and the head.
class WholePeftGolden : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

// Both sides are fp64 from the same fp32 values, as above.
TEST_P(WholePeftGolden, LogitsAreThoseOfPeft) {
  const auto [name, start] = GetParam();
  auto folder = read_hf_folder(golden_folder() / start);
  for (auto& [key, tensor] : folder.weights) tensor = tensor.to(at::kDouble);
  auto file = read_peft_file(golden_folder() / name, folder.config);
  EXPECT_FALSE(file.plain());
  EXPECT_THROW(read_peft(golden_folder() / name, folder.config), DataError);
  for (auto* list : {&file.magnitudes, &file.saved, &file.deltas})
    for (auto& [key, tensor] : *list) tensor = tensor.to(at::kDouble);
  NamedTensors factors = file.adapter.tensors();
  for (auto& [key, tensor] : factors) tensor = tensor.to(at::kDouble);
  file.adapter.replace(factors);
  LlamaConfig config = folder.config;
  const auto weights = merge_peft(file, folder.weights, config);
  EXPECT_FALSE(config.tie_word_embeddings);
  const at::NoGradGuard no_grad;
  const Decoder decoder(config, weights);
  const Tensor logits = decoder.logits(decoder.hidden(plan_batch({{row, {}}}, at::kCPU)));
  auto golden = golden_tensors(std::string(name) + "/golden.safetensors");
  EXPECT_LT(largest_difference(
                logits, golden["logits"].to(at::kDouble) + golden["logits.rest"].to(at::kDouble)),
            1e-6);
}

INSTANTIATE_TEST_SUITE_P(Adapters, WholePeftGolden,
                         ::testing::Values(std::pair("peft_dora", "llama_tiny_untied"),
                                           std::pair("peft_saved", "llama_tiny_untied"),
                                           std::pair("peft_tied", "llama_tiny"),
                                           std::pair("peft_head", "llama_tiny_untied")));

INSTANTIATE_TEST_SUITE_P(Adapters, PeftGolden,
                         ::testing::Values("peft_tiny", "peft_patterns", "peft_fused"));

}  // namespace
}  // namespace seawall
