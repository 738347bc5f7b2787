#include <nlohmann/json.hpp>

#include "test_files_support.hpp"

namespace seawall {
namespace {

using namespace testing_support;
using nlohmann::json;

json tiny_json() { return json::parse(tiny_config().to_json()); }

std::string refuse(const std::function<void(json&)>& change) {
  auto document = tiny_json();
  change(document);
  return message_of<DataError>([&] { LlamaConfig::from_json(document.dump(), "config.json"); });
}

TEST(Config, ReadsWhatItWrites) {
  const auto config = tiny_config(false);
  const auto again = LlamaConfig::from_json(config.to_json(), "config.json");
  EXPECT_EQ(again.to_json(), config.to_json());
  EXPECT_EQ(again.parameter_shapes(), config.parameter_shapes());
  EXPECT_FALSE(again.tie_word_embeddings);
}

TEST(Config, CountsAndNamesParametersInHuggingFaceOrder) {
  const auto shapes = tiny_config(false).parameter_shapes();
  EXPECT_EQ(shapes.front().first, "model.embed_tokens.weight");
  EXPECT_EQ(shapes[3].first, "model.layers.0.self_attn.k_proj.weight");
  EXPECT_EQ(shapes[3].second, (std::vector<std::int64_t>{2, 4}));
  EXPECT_EQ(shapes.back().first, "lm_head.weight");
  EXPECT_EQ(tiny_config(false).parameter_count() - tiny_config(true).parameter_count(), 24);
  EXPECT_EQ(tiny_config(true).parameter_count(), 24 + 4 + 16 + 8 + 8 + 16 + 4 + 3 * 32 + 4);
}

TEST(Config, TakesTheDefaultsOfTransformers) {
  const auto config = LlamaConfig::from_json(
      R"({"model_type": "llama", "vocab_size": 10, "hidden_size": 8, "intermediate_size": 16,
          "num_hidden_layers": 2, "num_attention_heads": 2})",
      "config.json");
  EXPECT_EQ(config.kv_heads, 2);
  EXPECT_EQ(config.head_dim, 4);
  EXPECT_EQ(config.max_position_embeddings, 2048);
  EXPECT_EQ(config.rms_norm_eps, 1e-6);
  EXPECT_EQ(config.rope_theta, 10000.0);
}

TEST(Config, ReadsBothPlacesOfTheRotaryBase) {
  auto document = tiny_json();
  document.erase("rope_theta");
  document["rope_parameters"] = {{"rope_theta", 5e5}, {"rope_type", "default"}};
  EXPECT_EQ(LlamaConfig::from_json(document.dump(), "c").rope_theta, 5e5);
}

TEST(Config, WhatWouldRunDifferentlyIsRefusedByField) {
  EXPECT_HAS(refuse([](json& j) { j["model_type"] = "mistral"; }), "model_type is 'mistral'");
  EXPECT_HAS(refuse([](json& j) { j["hidden_act"] = "gelu"; }), "hidden_act");
  EXPECT_HAS(refuse([](json& j) { j["attention_bias"] = true; }), "attention_bias");
  EXPECT_HAS(refuse([](json& j) { j["mlp_bias"] = true; }), "mlp_bias");
  EXPECT_HAS(refuse([](json& j) { j["attention_dropout"] = 0.1; }), "attention_dropout");
  EXPECT_HAS(refuse([](json& j) { j["quantization_config"] = {{"bits", 4}}; }), "quantization");
  EXPECT_HAS(refuse([](json& j) {
               j["rope_scaling"] = {{"rope_type", "llama3"}, {"factor", 8.0}};
             }),
             "rope_type 'llama3'");
  EXPECT_HAS(refuse([](json& j) { j["rope_scaling"] = {{"type", "linear"}}; }), "'linear'");
}

TEST(Config, ImpossibleValuesAreRefusedByField) {
  EXPECT_HAS(refuse([](json& j) { j.erase("hidden_size"); }), "hidden_size is missing");
  EXPECT_HAS(refuse([](json& j) { j["vocab_size"] = "6"; }), "vocab_size: want an integer");
  EXPECT_HAS(refuse([](json& j) { j["vocab_size"] = 3000000; }), "vocab_size is 3000000");
  EXPECT_HAS(refuse([](json& j) { j["vocab_size"] = 1e300; }), "vocab_size");
  EXPECT_HAS(refuse([](json& j) { j["vocab_size"] = UINT64_MAX; }), "too large");
  EXPECT_HAS(refuse([](json& j) { j["num_hidden_layers"] = 1025; }), "num_hidden_layers");
  EXPECT_HAS(refuse([](json& j) { j["num_attention_heads"] = 0; }), "num_attention_heads");
  EXPECT_HAS(refuse([](json& j) { j["num_key_value_heads"] = -1; }), "num_key_value_heads");
  EXPECT_HAS(refuse([](json& j) { j["num_attention_heads"] = 3, j["num_key_value_heads"] = 2; }),
             "not a multiple");
  EXPECT_HAS(refuse([](json& j) { j["head_dim"] = 3; }), "head_dim");
  EXPECT_HAS(refuse([](json& j) { j["rms_norm_eps"] = 0; }), "rms_norm_eps");
  EXPECT_HAS(refuse([](json& j) { j["rope_theta"] = -1; }), "rope_theta");
  EXPECT_HAS(refuse([](json& j) { j = json::array(); }), "object at the top");
}

}  // namespace
}  // namespace seawall
