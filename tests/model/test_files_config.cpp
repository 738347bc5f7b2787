#include <cmath>
#include <nlohmann/json.hpp>

#include "test_files_support.hpp"

namespace seawall {
namespace {

using namespace testing;
using nlohmann::json;

json tiny_json() { return json::parse(tiny_config().to_json()); }

std::string refuse_config(const std::function<void(json&)>& change) {
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
  document.erase("rope_scaling");
  document["rope_parameters"] = {{"rope_theta", 5e5}, {"rope_type", "default"}};
  EXPECT_EQ(LlamaConfig::from_json(document.dump(), "c").rope_theta, 5e5);
}

TEST(Config, WhatWouldRunDifferentlyIsRefusedByField) {
  EXPECT_HAS(refuse_config([](json& j) { j["model_type"] = "mixtral"; }),
             "model_type is 'mixtral'");
  EXPECT_HAS(refuse_config([](json& j) { j["hidden_act"] = "gelu"; }), "hidden_act");
  EXPECT_HAS(refuse_config([](json& j) { j["model_type"] = "gemma"; }), "hidden_act is 'silu'");
  EXPECT_HAS(refuse_config([](json& j) { j["attention_bias"] = true; }), "attention_bias");
  EXPECT_HAS(refuse_config([](json& j) { j["mlp_bias"] = true; }), "mlp_bias");
  EXPECT_HAS(refuse_config([](json& j) { j["rope_interleaved"] = true; }), "rope_interleaved");
  EXPECT_HAS(refuse_config([](json& j) { j["attention_dropout"] = 0.1; }), "attention_dropout");
  EXPECT_HAS(refuse_config([](json& j) {
               j["quantization_config"] = {{"bits", 4}};
             }),
             "quantization");
  EXPECT_HAS(refuse_config([](json& j) {
               j["model_type"] = "qwen2";
               j["use_sliding_window"] = true;
             }),
             "use_sliding_window is true");
  EXPECT_HAS(refuse_config([](json& j) {
               j["layer_types"] = {"full_attention", "sliding_attention"};
             }),
             "layer_types has \"sliding_attention\", want 'full_attention'");
  EXPECT_HAS(refuse_config([](json& j) {
               j["model_type"] = "mistral";
               j["sliding_window"] = 0;
             }),
             "sliding_window is 0");
  EXPECT_HAS(refuse_config([](json& j) {
               j["model_type"] = "mistral";
               j["sliding_window"] = -3;
             }),
             "sliding_window is -3");
}

TEST(Config, RotaryScalingThatIsNotKnownOrNotWholeIsRefusedByField) {
  const auto scaled = [](json rope) {
    return refuse_config([&](json& j) { j["rope_scaling"] = std::move(rope); });
  };
  EXPECT_HAS(scaled({{"rope_type", "yarn"}, {"factor", 8.0}}), "rope_type 'yarn'");
  EXPECT_HAS(scaled({{"type", "dynamic"}, {"factor", 2}}), "rope_type 'dynamic'");
  EXPECT_HAS(scaled({{"type", "linear"}}), "rope_scaling: factor is missing");
  EXPECT_HAS(scaled({{"type", "linear"}, {"factor", 0}}), "rope_scaling.factor");
  json rope = {{"rope_type", "llama3"},
               {"factor", 8.0},
               {"low_freq_factor", 1.0},
               {"high_freq_factor", 4.0}};
  EXPECT_HAS(scaled(rope), "original_max_position_embeddings is missing");
  rope["original_max_position_embeddings"] = 8192;
  auto document = tiny_json();
  document["rope_scaling"] = rope;
  EXPECT_EQ(LlamaConfig::from_json(document.dump(), "c").rope_scaling.factor, 8);
  rope["high_freq_factor"] = 1.0;
  EXPECT_HAS(scaled(rope), "high_freq_factor is not above low_freq_factor");
  rope.erase("low_freq_factor");
  EXPECT_HAS(scaled(rope), "low_freq_factor is missing");
}

TEST(Config, EveryFamilyReadsWhatItWrites) {
  for (const auto* family : families())
    for (const auto type :
         {RopeScaling::Type::none, RopeScaling::Type::linear, RopeScaling::Type::llama3}) {
      auto config = tiny_config();
      config.family = family;
      if (family->window != Window::none) config.sliding_window = 5;
      config.rope_scaling = {.type = type,
                             .factor = 3,
                             .low_freq_factor = 1.5,
                             .high_freq_factor = 6,
                             .original_max_position_embeddings = 77};
      const auto text = config.to_json();
      const auto again = LlamaConfig::from_json(text, "config.json");
      EXPECT_EQ(again.to_json(), text);
      EXPECT_EQ(again.family, family);
      EXPECT_EQ(again.sliding_window, config.sliding_window);
      EXPECT_EQ(again.rope_scaling.type, type);
      EXPECT_EQ(rotary_frequencies<double>(again), rotary_frequencies<double>(config));
    }
}

TEST(Config, MistralsWindowIsNoneWhereNullAndTheDefaultWhereMissing) {
  auto document = tiny_json();
  document["model_type"] = "mistral";
  EXPECT_EQ(LlamaConfig::from_json(document.dump(), "c").sliding_window, 4096);
  document["sliding_window"] = nullptr;
  EXPECT_EQ(LlamaConfig::from_json(document.dump(), "c").sliding_window, 0);
  EXPECT_TRUE(json::parse(LlamaConfig::from_json(document.dump(), "c").to_json())
                  .at("sliding_window")
                  .is_null());
}

TEST(Config, QwenHasBiasesOfQueriesKeysAndValues) {
  auto config = tiny_config();
  const auto plain = config.parameter_count();
  config.family = &family_of("qwen2");
  EXPECT_EQ(config.parameter_count() - plain, 4 + 2 + 2);
  EXPECT_EQ(config.parameter_shapes()[10].first, "model.layers.0.self_attn.q_proj.bias");
}

// Source: the published settings of Llama 3.1 (theta 5e5, D 128), and the formula by hand.
TEST(Config, LlamaThreeStretchesLongWavesOnly) {
  LlamaConfig config;
  config.head_dim = 128;
  config.rope_theta = 5e5;
  const auto plain = rotary_frequencies<double>(config);
  config.rope_scaling = {.type = RopeScaling::Type::llama3, .factor = 8};
  const auto scaled = rotary_frequencies<double>(config);
  for (std::size_t i = 0; i < scaled.size(); ++i) {
    const double wave = 2 * M_PI / plain[i];
    const double kept = std::clamp((8192 / wave - 1) / 3, 0.0, 1.0);
    EXPECT_NEAR(scaled[i] / plain[i], (1 - kept) / 8 + kept, 1e-12) << i;
  }
  EXPECT_EQ(scaled.front(), plain.front());
  EXPECT_EQ(scaled.back(), plain.back() / 8);
}

TEST(Config, ImpossibleValuesAreRefusedByField) {
  EXPECT_HAS(refuse_config([](json& j) { j.erase("hidden_size"); }), "hidden_size is missing");
  EXPECT_HAS(refuse_config([](json& j) { j["vocab_size"] = "6"; }), "vocab_size: want an integer");
  EXPECT_HAS(refuse_config([](json& j) { j["vocab_size"] = 3000000; }), "vocab_size is 3000000");
  EXPECT_HAS(refuse_config([](json& j) { j["vocab_size"] = 1e300; }), "vocab_size");
  EXPECT_HAS(refuse_config([](json& j) { j["vocab_size"] = UINT64_MAX; }), "too large");
  EXPECT_HAS(refuse_config([](json& j) { j["num_hidden_layers"] = 1025; }), "num_hidden_layers");
  EXPECT_HAS(refuse_config([](json& j) { j["num_attention_heads"] = 0; }), "num_attention_heads");
  EXPECT_HAS(refuse_config([](json& j) { j["num_key_value_heads"] = -1; }), "num_key_value_heads");
  EXPECT_HAS(
      refuse_config([](json& j) { j["num_attention_heads"] = 3, j["num_key_value_heads"] = 2; }),
      "not a multiple");
  EXPECT_HAS(refuse_config([](json& j) { j["head_dim"] = 3; }), "head_dim");
  EXPECT_HAS(refuse_config([](json& j) { j["rms_norm_eps"] = 0; }), "rms_norm_eps");
  EXPECT_HAS(refuse_config([](json& j) { j["rope_theta"] = -1; }), "rope_theta");
  EXPECT_HAS(refuse_config([](json& j) { j = json::array(); }), "object at the top");
}

}  // namespace
}  // namespace seawall
