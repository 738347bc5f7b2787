// What came with a model's weights stays with it.
#include "pretrained/model_files.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "pretrained/bundle_template.hpp"
#include "seawall/core/error.hpp"
#include "seawall/model/files.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "seawall/run/speaker.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;
using testing::Folder;
using testing::message_of;

/// llama_tiny with files as nobody's writer would lay them out.
void write_model(const Folder& folder) {
  const fs::path source = fs::path(SEAWALL_SOURCE_DIR) / "data" / "golden" / "llama_tiny";
  for (const auto* name : {"config.json", "model.safetensors", "tokenizer.json"})
    fs::copy_file(source / name, folder.path() / name);
  folder.write("tokenizer_config.json",
               "{ \"tokenizer_class\":\t\"PreTrainedTokenizerFast\",\r\n"
               "  \"own\": [1,2 ,3]}");
  folder.write("special_tokens_map.json", "{}\n\n");
  folder.write("generation_config.json", "{\"eos_token_id\": [2, 9, 250000],\"top_p\":0.9 }");
  folder.write("chat_template.jinja", "{# mine #}");
  folder.write("README.md", "not the model's");
}

TEST(ModelFiles, ComeThroughTheCardByteForByte) {
  const Folder folder;
  write_model(folder);
  const auto model = load_model(folder.path().string(), "cpu", "chatml");
  const auto card = model_card(model);
  for (const auto* name : {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                           "generation_config.json"}) {
    ASSERT_TRUE(card.contains(name)) << name;
    EXPECT_EQ(card.at(name), folder.read(name)) << name;
  }
  EXPECT_FALSE(card.contains("README.md"));
  EXPECT_EQ(card.at(template_file), "chatml");
  // Not the folder's own: what it was trained with is what it is to be asked with.
  EXPECT_EQ(card.at(jinja_file), jinja_of_template("chatml", *model.tokenizer));
  EXPECT_EQ(nlohmann::json::parse(card.at("config.json")).at("model_type"), "llama");
}

TEST(ModelFiles, EveryEndOfAnAnswerThatTheModelCanSayStopsIt) {
  const Folder folder;
  write_model(folder);
  const auto ids = [&] { return load_model(folder.path().string(), "cpu", "chatml").stop_ids; };
  EXPECT_EQ(ids(), (std::vector<std::int32_t>{2, 9}));  // the vocabulary ends before 250000
  EXPECT_EQ(speaker_of(load_model(folder.path().string(), "cpu", "chatml")).stop_ids, ids());
  const auto told = load_model(folder.path().string(), "cpu", "chatml").notices;
  EXPECT_TRUE(std::ranges::any_of(told, [](const std::string& text) {
    return text.find(
               "has eos_token_id 2, 9, 250000, config.json 2: generation_config.json counts") !=
           std::string::npos;
  }));
  fs::remove(folder.path() / "generation_config.json");
  EXPECT_EQ(ids(), (std::vector<std::int32_t>{2}));  // config.json's
  folder.write("generation_config.json", R"({"eos_token_id": "two"})");
  EXPECT_HAS(message_of<DataError>([&] { ids(); }),
             "generation_config.json: eos_token_id is \"two\", want a token id or a list");
}

TEST(ModelFiles, WeightsComeInTheTypeAskedForAndKeepTheirHash) {
  const Folder folder;
  write_model(folder);
  const auto whole = load_model(folder.path().string(), "cpu", "chatml"),
             narrow = load_model(folder.path().string(), "cpu", "chatml", {.type = at::kBFloat16});
  EXPECT_EQ(whole.decoder->dtype(), at::kFloat);
  EXPECT_EQ(narrow.decoder->dtype(), at::kBFloat16);
  EXPECT_TRUE(narrow.decoder->embedding().equal(whole.decoder->embedding().to(at::kBFloat16)));
  EXPECT_NE(narrow.weights_hash, whole.weights_hash);  // these are other numbers
  // A model whose file is bf16 is the same one however it is kept.
  const Folder second;
  write_hf_folder(second.path(), narrow.decoder->config(), narrow.decoder->parameters(),
                  {.bos = 1, .eos = {2}});
  fs::copy_file(folder.path() / "tokenizer.json", second.path() / "tokenizer.json");
  const auto word = second.path().string();
  EXPECT_EQ(load_model(word, "cpu", "chatml").weights_hash, narrow.weights_hash);
  EXPECT_EQ(load_model(word, "cpu", "chatml", {.type = at::kBFloat16}).weights_hash,
            narrow.weights_hash);
  EXPECT_EQ(nlohmann::json::parse(second.read("config.json")).at("torch_dtype"), "bfloat16");
}

TEST(ModelFiles, GenerationSettingsAreAppliedOrNamed) {
  const Folder folder;
  write_model(folder);
  folder.write("generation_config.json",
               R"({"repetition_penalty": 1.1, "temperature": 0.6, "do_sample": true, "num_beams": 3,
          "guidance_scale": 1.5, "stop_strings": ["End", "Halt"]})");
  const auto word = folder.path().string();
  const auto model = load_model(word, "cpu", "chatml");
  EXPECT_EQ(model.rules.repetition_penalty, 1.1);
  EXPECT_EQ(speaker_of(model).rules.text(),
            "greedy with repetition_penalty 1.1, stop_strings of 2 entries");
  const auto told = [&](const std::string& part) {
    return std::ranges::any_of(model.notices, [&](const std::string& text) {
      return text.find(part) != std::string::npos;
    });
  };
  EXPECT_TRUE(told("--max-new-tokens: do_sample, temperature"));
  EXPECT_TRUE(told("so that transformers answers otherwise: num_beams, guidance_scale"));
  EXPECT_TRUE(told("answers are greedy with repetition_penalty 1.1"));
  EXPECT_TRUE(load_model(word, "cpu", "chatml", {.greedy = true}).rules.plain());
  const auto refusal = [&](const char* text) {
    folder.write("generation_config.json", text);
    return message_of<DataError>([&] { load_model(word, "cpu", "chatml"); });
  };
  EXPECT_HAS(refusal(R"({"repetition_penalty": 0})"), "repetition_penalty: want a number above 0");
  EXPECT_HAS(refusal(R"({"bad_words_ids": [[900]]})"), "bad_words_ids: token 900 is outside");
  EXPECT_HAS(refusal(R"({"stop_strings": ["a", ""]})"), "stop_strings: want texts");
  EXPECT_HAS(refusal(R"({"sequence_bias": [[3, 4]]})"), "sequence_bias: want lists");
  EXPECT_HAS(refusal(R"({"min_length": "x"})"), "min_length: want an integer");
}

TEST(ModelFiles, TheIdsOfConfigJsonComeThroughACheckpoint) {
  const Folder folder;
  write_model(folder);
  fs::remove(folder.path() / "generation_config.json");
  auto config = nlohmann::json::parse(folder.read("config.json"));
  config["eos_token_id"] = {9, 2};
  config["bos_token_id"] = -1;
  folder.write("config.json", config.dump());
  const auto card = model_card(load_model(folder.path().string(), "cpu", "chatml"));
  const auto kept = nlohmann::json::parse(card.at("config.json"));
  EXPECT_EQ(kept.at("eos_token_id"), (std::vector{9, 2}));
  EXPECT_FALSE(kept.contains("bos_token_id"));
}

TEST(ModelFiles, ATokenWithoutARowIsRefusedWhereATextHasIt) {
  const Folder folder;
  write_model(folder);
  folder.write("tokenizer_config.json", R"({"pad_token": "[PAD]"})");
  const auto model = load_model(folder.path().string(), "cpu", "chatml");
  EXPECT_EQ(model.tokenizer->vocab_size(), 301);
  check_in_embedding(model, {0, 299}, "row");
  EXPECT_HAS(message_of<DataError>([&] {
               check_in_embedding(model, {0, 300}, "row 7");
             }),
             "row 7: token 300 '[PAD]' has no row in the model's embedding of 300 rows");
}

}  // namespace
}  // namespace seawall
