// `inspect` of models as large as real ones: sparse files, of which only headers are there.
#include "seawall/pretrained/model_listing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "seawall/model/config.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

using testing::Folder;

LlamaConfig llama2_7b() {
  LlamaConfig c;
  c.vocab_size = 32000;
  c.hidden_size = 4096;
  c.intermediate_size = 11008;
  c.layers = 32;
  c.heads = 32;
  c.kv_heads = 32;
  c.head_dim = 128;
  c.max_position_embeddings = 4096;
  return c;
}

/// A folder of `config` in two shards whose data are holes.
void write_sparse(const Folder& folder, const LlamaConfig& config, std::int64_t skipped = -1) {
  const auto shapes = config.parameter_shapes();
  nlohmann::ordered_json headers[2], index;
  std::uint64_t ends[2] = {0, 0};
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    if (static_cast<std::int64_t>(i) == skipped) continue;
    const auto& [name, shape] = shapes[i];
    const std::size_t shard = i < shapes.size() / 2 ? 0 : 1;
    std::uint64_t bytes = 2;
    for (const auto size : shape) bytes *= static_cast<std::uint64_t>(size);
    headers[shard][name] = {
        {"dtype", "BF16"}, {"shape", shape}, {"data_offsets", {ends[shard], ends[shard] + bytes}}};
    ends[shard] += bytes;
    index["weight_map"][name] = "model-" + std::to_string(shard) + ".safetensors";
  }
  for (std::size_t shard = 0; shard < 2; ++shard) {
    const auto text = headers[shard].dump();
    const std::uint64_t length = text.size();
    const auto file = folder.write("model-" + std::to_string(shard) + ".safetensors",
                                   std::string(reinterpret_cast<const char*>(&length), 8) + text);
    std::filesystem::resize_file(file, 8 + length + ends[shard]);
  }
  folder.write("model.safetensors.index.json", index.dump());
  folder.write("config.json", config.to_json());
}

TEST(ModelListing, ASevenBillionFolderIsListedWithinASecond) {
  const Folder folder;
  write_sparse(folder, llama2_7b());
  folder.write("generation_config.json", R"({"eos_token_id": [2, 7], "do_sample": true})");
  folder.write("tokenizer_config.json", R"({"chat_template": "{{ messages }}"})");
  folder.write("tokenizer.model", "not looked at");
  const auto begin = std::chrono::steady_clock::now();
  const auto text = describe_model(folder.path());
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_LT(std::chrono::duration<double>(took).count(), 10);
  EXPECT_HAS(text, "family     llama, 6738.4 M parameters\n");
  EXPECT_HAS(text, "32 layers, width 4096, 32 heads (32 key/value) of 128, MLP 11008, own head\n");
  EXPECT_HAS(text, "context    4096 tokens, rotary base 10000\n");
  EXPECT_HAS(text, "files      2 safetensors, 291 tensors: 291 BF16 (13.48 GB)\n");
  EXPECT_HAS(text, "vocabulary 32000 tokens by config.json, tokenizer.model\n");
  EXPECT_HAS(text, "stop ids   2 7\n");
  EXPECT_HAS(text, "template   Jinja, 14 bytes\n");
  EXPECT_HAS(text, "    32 x model.layers.N.mlp.down_proj.weight [4096,11008] BF16\n");
  EXPECT_HAS(text, "    lm_head.weight [32000,4096] BF16\n");
  EXPECT_EQ(text.find("missing"), std::string::npos);
  EXPECT_LE(std::ranges::count(text, '\n'), 25) << "it is to fit a screen";
}

TEST(ModelListing, WhatDoesNotFitOrDoesNotRunIsSaidAndTheRestStillListed) {
  const Folder folder;
  auto config = llama2_7b();
  config.layers = 2;
  write_sparse(folder, config, 4);
  EXPECT_HAS(describe_model(folder.path()),
             "1 tensors of config.json are missing and 0 have other shapes, first "
             "model.layers.0.self_attn.v_proj.weight\n");
  auto json = nlohmann::json::parse(config.to_json());
  json["model_type"] = "mixtral";
  folder.write("config.json", json.dump());
  const auto text = describe_model(folder.path());
  EXPECT_HAS(text, "does not run here: ");
  EXPECT_HAS(text, "model_type is 'mixtral'");
  EXPECT_HAS(text, "2 x model.layers.N.mlp.up_proj.weight");
  json["model_type"] = "mistral";
  json["sliding_window"] = 64;
  json["rope_scaling"] = {{"rope_type", "llama3"},
                          {"factor", 8},
                          {"low_freq_factor", 1},
                          {"high_freq_factor", 4},
                          {"original_max_position_embeddings", 512}};
  folder.write("config.json", json.dump());
  EXPECT_HAS(describe_model(folder.path()),
             "context    4096 tokens, window 64, rotary base 10000, llama3 x 8 beyond 512\n");
}

TEST(ModelListing, AGgufFileIsListed) {
  const auto text = describe_model(SEAWALL_SOURCE_DIR "/data/golden/families/llama3/model.gguf");
  EXPECT_HAS(text, "model.gguf: GGUF, 0.05 MB\n");
  EXPECT_HAS(text, "family     llama, ");
  EXPECT_HAS(text, "llama3 x 8 beyond 32\n");
  EXPECT_HAS(text, "vocabulary no tokenizer\n");
  EXPECT_HAS(text, "2 x blk.N.attn_q.weight [64,32] BF16\n");
  const auto vocabulary =
      describe_model(SEAWALL_SOURCE_DIR "/data/golden/tokenizer_llama-bpe.gguf");
  EXPECT_HAS(vocabulary, "vocabulary 425 tokens, gpt2, llama-bpe\n");
}

}  // namespace
}  // namespace seawall
