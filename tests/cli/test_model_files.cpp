// What came with a model's weights stays with it.
#include "seawall/cli/model_files.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "seawall/cli/bundle.hpp"
#include "seawall/core/error.hpp"
#include "seawall/model/files.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;
using testing_support::Folder;
using testing_support::message_of;

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
                           "generation_config.json", "chat_template.jinja"}) {
    ASSERT_TRUE(card.contains(name)) << name;
    EXPECT_EQ(card.at(name), folder.read(name)) << name;
  }
  EXPECT_FALSE(card.contains("README.md"));
  EXPECT_EQ(card.at(kTemplateFile), "chatml");
  EXPECT_EQ(nlohmann::json::parse(card.at("config.json")).at("model_type"), "llama");
}

TEST(ModelFiles, EveryEndOfAnAnswerThatTheModelCanSayStopsIt) {
  const Folder folder;
  write_model(folder);
  const auto ids = [&] { return load_model(folder.path().string(), "cpu", "chatml").stop_ids; };
  EXPECT_EQ(ids(), (std::vector<std::int32_t>{2, 9}));  // the vocabulary ends before 250000
  EXPECT_EQ(load_model(folder.path().string(), "cpu", "chatml").speaker().stop_ids, ids());
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
  write_hf_folder(second.path(), narrow.decoder->config(), narrow.decoder->parameters(), 1, 2);
  fs::copy_file(folder.path() / "tokenizer.json", second.path() / "tokenizer.json");
  const auto word = second.path().string();
  EXPECT_EQ(load_model(word, "cpu", "chatml").weights_hash, narrow.weights_hash);
  EXPECT_EQ(load_model(word, "cpu", "chatml", {.type = at::kBFloat16}).weights_hash,
            narrow.weights_hash);
  EXPECT_EQ(nlohmann::json::parse(second.read("config.json")).at("torch_dtype"), "bfloat16");
}

}  // namespace
}  // namespace seawall
