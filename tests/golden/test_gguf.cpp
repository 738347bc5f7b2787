// GGUF files against the gguf package and the folders they were made from:
// data/golden/make_quants.py.
#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>

#include "seawall/model/decoder.hpp"
#include "tests/golden/golden.hpp"

namespace seawall {
namespace {

using testing::golden_folder;
using testing::golden_tensors;

TEST(GgufTypes, EveryTypeIsDequantizedToTheBit) {
  const GgufFile file(golden_folder() / "quants.gguf");
  auto golden = golden_tensors("quants.safetensors");
  std::vector<std::string> types;
  for (const auto& info : file.tensors()) {
    types.push_back(info.type);
    EXPECT_EQ(info.name, info.type);
    const Tensor got = file.load(info), want = golden.at(info.name);
    ASSERT_EQ(got.sizes(), want.sizes()) << info.type;
    // as bytes, so that 0 and -0 are two numbers
    EXPECT_EQ(std::memcmp(got.const_data_ptr(), want.const_data_ptr(), got.nbytes()), 0)
        << info.type << " differs by up to " << (got - want).abs().max().item<float>();
    for (const auto narrow : {at::kBFloat16, at::kHalf})
      EXPECT_TRUE(at::equal(file.load(info, 0, narrow), want.to(narrow))) << info.type;
  }
  std::ranges::sort(types);
  EXPECT_EQ(types, (std::vector<std::string>{"BF16", "F16", "F32", "Q4_0", "Q4_1", "Q4_K", "Q5_0",
                                             "Q5_1", "Q5_K", "Q6_K", "Q8_0"}));
}

// The file keeps every bit of the weights, so what it gives is what the folder gives.
TEST(GgufArchitectures, AreTheirFolders) {
  for (const std::string name : {"llama3", "qwen2", "qwen3", "phi3", "gemma2"}) {
    SCOPED_TRACE(name);
    const auto folder = golden_folder() / "families" / name;
    const GgufFile file(folder / "model.gguf");
    const auto want = read_hf_folder(folder);
    const auto config = file.llama_config();
    EXPECT_EQ(config.family, want.config.family);
    EXPECT_EQ(config.parameter_shapes(), want.config.parameter_shapes());
    EXPECT_EQ(config.max_position_embeddings, want.config.max_position_embeddings);
    EXPECT_FLOAT_EQ(config.rms_norm_eps, want.config.rms_norm_eps);  // the file keeps it in fp32
    EXPECT_EQ(config.head_dim, want.config.head_dim);
    EXPECT_EQ(config.sliding_window, want.config.sliding_window);
    EXPECT_EQ(config.attention_cap, want.config.attention_cap);
    EXPECT_EQ(config.logit_cap, want.config.logit_cap);
    // GGUF has no field for the scale: that of the published models counts
    EXPECT_EQ(config.query_scalar, want.config.query_scalar > 0 ? config.head_dim : 0);
    EXPECT_EQ(config.rope_scaling.type, want.config.rope_scaling.type);
    EXPECT_EQ(config.rope_scaling.factor, want.config.rope_scaling.factor);
    const auto got = rotary_frequencies<double>(config),
               frequencies = rotary_frequencies<double>(want.config);
    for (std::size_t i = 0; i < frequencies.size(); ++i)
      EXPECT_NEAR(got[i] / frequencies[i], 1, 1e-6) << i;
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      const auto weights = file.llama_weights(type);
      ASSERT_EQ(weights.size(), want.weights.size());
      for (std::size_t i = 0; i < weights.size(); ++i) {
        EXPECT_EQ(weights[i].name, want.weights[i].name);
        EXPECT_TRUE(at::equal(weights[i].tensor, want.weights[i].tensor.to(type)))
            << weights[i].name;
      }
    }
  }
}

}  // namespace
}  // namespace seawall
