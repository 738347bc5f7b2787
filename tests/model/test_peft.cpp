#include "seawall/model/peft.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "support.hpp"

namespace seawall {
namespace {

using nlohmann::json;

json plain_config() {
  return {{"peft_type", "LORA"}, {"r", 2}, {"lora_alpha", 6}, {"target_modules", {"q_proj"}}};
}

NamedTensors factors_for(const LlamaConfig& config, const std::string& targets) {
  LoraOptions options{.rank = 2, .alpha = 6, .targets = targets_from(targets)};
  return make_adapter(config, options, 1, at::empty({1})).tensors();
}

Adapter read(const json& config, const std::string& targets = "q_proj") {
  const auto sizes = testing::small_config();
  return adapter_from(config.dump(), factors_for(sizes, targets), sizes, "adapter_config.json");
}

/// The one line that a config is refused with.
std::string refusal(const std::string& field, const json& value,
                    const std::string& targets = "q_proj") {
  json config = plain_config();
  config[field] = value;
  try {
    read(config, targets);
  } catch (const DataError& e) {
    return e.what();
  }
  return "accepted";
}

void expect_names(const std::string& line, const std::string& field) {
  EXPECT_NE(line.find("adapter_config.json: "), std::string::npos) << line;
  EXPECT_NE(line.find(field), std::string::npos) << line;
  EXPECT_EQ(line.find('\n'), std::string::npos) << line;
}

TEST(Peft, ScalesFollowRankAlphaAndPatterns) {
  EXPECT_EQ(read(plain_config()).at(1, Projection::q).scale, 3);
  json config = plain_config();
  config["use_rslora"] = true;
  EXPECT_DOUBLE_EQ(read(config).at(1, Projection::q).scale, 6 / std::sqrt(2.0));
  config = plain_config();
  config["alpha_pattern"] = {{"layers.1.self_attn.q_proj", 8},
                             {"^model.layers.2.self_attn.q_proj", 1},
                             {"model\\.layers\\.[3-9].*", 12}};
  const Adapter adapter = read(config);
  EXPECT_EQ(adapter.at(0, Projection::q).scale, 3);
  EXPECT_EQ(adapter.at(1, Projection::q).scale, 4);
  EXPECT_EQ(adapter.at(2, Projection::q).scale, 0.5);
}

TEST(Peft, AnAdapterOfSomeBlocksComesBackAsOne) {
  const auto sizes = testing::small_config();
  json config = plain_config();
  config["layers_to_transform"] = {0, 2};
  auto factors = factors_for(sizes, "q_proj");
  factors.erase(factors.begin() + 2, factors.begin() + 4);
  const Adapter adapter = adapter_from(config.dump(), factors, sizes, "c");
  EXPECT_FALSE(adapter.at(1, Projection::q).on());
  EXPECT_TRUE(adapter.at(2, Projection::q).on());
  const Adapter again = adapter_from(adapter_config_json(adapter, "base"), factors, sizes, "c");
  EXPECT_EQ(again.tensors().size(), 4u);
  EXPECT_FALSE(again.at(1, Projection::q).on());
}

TEST(Peft, UnsupportedFieldsAreNamed) {
  expect_names(refusal("fan_in_fan_out", true), "fan_in_fan_out");
  expect_names(refusal("lora_bias", true), "lora_bias");
  expect_names(refusal("peft_type", "IA3"), "peft_type");
  expect_names(refusal("some_new_idea", 3), "some_new_idea");
  expect_names(refusal("init_lora_weights", "pissa"), "init_lora_weights");
  expect_names(refusal("target_modules", 3), "target_modules: want a list");
  expect_names(refusal("target_modules", {"q_proj", "out_proj"}), "out_proj");
  expect_names(refusal("rank_pattern", {{"layers.[01", 4}}), "rank_pattern");
  expect_names(refusal("alpha_pattern", {{"q_proj", 4}, {"0.self_attn.q_proj", 5}}),
               "alpha_pattern");
  // What says nothing of the numbers, or is off, is fine.
  EXPECT_EQ(refusal("use_dora", false), "accepted");
  EXPECT_EQ(refusal("some_new_idea", nullptr), "accepted");
  EXPECT_EQ(refusal("init_lora_weights", "gaussian"), "accepted");
  EXPECT_EQ(refusal("base_model_name_or_path", "x"), "accepted");
  EXPECT_EQ(refusal("target_modules", "all-linear", "all"), "accepted");
  // The tensors say which modules a regular expression names.
  EXPECT_EQ(refusal("target_modules", ".*\\.(q|up)_proj", "q_proj,up_proj"), "accepted");
}

TEST(Peft, ConfigAndWeightsMustAgree) {
  expect_names(refusal("r", 3), "lora_A has 2 rows");
  expect_names(refusal("r", 0), "lora.rank");
  expect_names(refusal("r", "two"), "r: want an integer");
  expect_names(refusal("rank_pattern", {{"q_proj", 4}}), "r is 4");
  expect_names(refusal("target_modules", {"q_proj", "k_proj"}), "k_proj.lora_A.weight");
  expect_names(refusal("r", 2, "q_proj,up_proj"), "up_proj.lora_A.weight");
  const auto sizes = testing::small_config();
  auto factors = factors_for(sizes, "q_proj");
  factors[1].tensor = at::zeros({23, 2});
  EXPECT_THROW(adapter_from(plain_config().dump(), factors, sizes, "c"), DataError);
  EXPECT_THROW(adapter_from("[1", factors, sizes, "c"), DataError);
}

}  // namespace
}  // namespace seawall
