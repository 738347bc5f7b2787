// Which chat template a model gets from its files and --template.
#include "pretrained/bundle_template.hpp"

#include <gtest/gtest.h>

#include "pretrained/model_files.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/pretrained/bundle.hpp"
#include "tests/support/files.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;
using testing::Folder;
using testing::message_of;

const fs::path tiny = fs::path(SEAWALL_SOURCE_DIR) / "data" / "golden" / "llama_tiny";
const Dialogue dialogue{{{Role::user, "hello"}}};

const Tokenizer& tokenizer() {
  static const auto made = load_tokenizer_json(tiny / "tokenizer.json");
  return *made;
}

std::string rendered(const Folder& folder, const std::string& word = "auto") {
  return choose_template(word, template_of_folder(folder.path()), tokenizer(), "DIR")
      ->render(dialogue, true);
}

TEST(BundleTemplate, TheModelsOwnTextComesFirstTheFileBesideItBeforeTheConfig) {
  const Folder folder;
  folder.write("tokenizer_config.json",
               R"({"chat_template": "{{ bos_token }}config", "bos_token": {"content": "<b>"}})");
  EXPECT_EQ(rendered(folder), "<b>config") << "the config's own name of the token";
  folder.write("chat_template.jinja", "file{{ eos_token }}");
  EXPECT_EQ(rendered(folder), "file<|im_end|>") << "the tokenizer's name where none is given";
  EXPECT_EQ(rendered(folder, "chatml"),
            "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n");
  folder.write("chat_template.txt", "chatml");
  EXPECT_EQ(rendered(folder), "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n");
  folder.write("chat_template.txt", "jinja");
  EXPECT_EQ(rendered(folder), "file<|im_end|>");
}

TEST(BundleTemplate, AListOfTemplatesHasADefault) {
  const Folder folder;
  folder.write("tokenizer_config.json",
               R"({"chat_template": [{"name": "tool_use", "template": "tools"},
                                     {"name": "default", "template": "chat"}]})");
  EXPECT_EQ(rendered(folder), "chat");
  folder.write("tokenizer_config.json", R"({"chat_template": [{"name": "rag", "template": "x"}]})");
  EXPECT_NE(message_of<DataError>([&] { rendered(folder); }).find("named `default`"),
            std::string::npos);
}

TEST(BundleTemplate, AFileOfTheUsersAndAGuessWithoutAny) {
  const Folder folder;
  EXPECT_EQ(rendered(folder), "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n");
  const auto file = folder.write("mine.jinja", "mine {{ messages[0].content }}");
  EXPECT_EQ(rendered(folder, file.string()), "mine hello");
  EXPECT_THROW(rendered(folder, (folder.path() / "none.jinja").string()), IoError);
  EXPECT_THROW(rendered(folder, "nothing-of-that-name"), UsageError);
  folder.write("chat_template.jinja", "\n{% include 'x' %}");
  const auto refused = message_of<DataError>([&] { rendered(folder); });
  EXPECT_NE(refused.find("chat_template.jinja: line 2: the tag 'include'"), std::string::npos)
      << refused;
  EXPECT_NE(refused.find("--template"), std::string::npos) << refused;
}

TEST(BundleTemplate, TokenizerJsonIsTakenWhereItHasControlTokensThatTheModelFileLacks) {
  const auto golden = tiny.parent_path() / "tokenizers";
  const auto folder_with = [&](const Folder& folder, const char* json) {
    for (const auto* name : {"config.json", "model.safetensors"})
      fs::copy_file(tiny / name, folder.path() / name);
    fs::copy_file(golden / "spm_bpe.model", folder.path() / "tokenizer.model");
    if (json != nullptr) fs::copy_file(golden / json, folder.path() / "tokenizer.json");
  };
  // The tokenizers are larger than the tiny model, and of different sizes.
  Folder both, only;
  folder_with(both, "gemma.json");
  folder_with(only, nullptr);
  const auto of_json = load_model(both.path().string(), "cpu", "chatml"),
             of_model = load_model(only.path().string(), "cpu", "chatml");
  EXPECT_EQ(of_json.tokenizer->vocab_size(), 1163);
  EXPECT_EQ(of_model.tokenizer->vocab_size(), 1100);
  const auto& told = of_json.notices;
  EXPECT_TRUE(std::ranges::any_of(told, [](const std::string& text) {
    return text.find("tokenizer.model and tokenizer.json have other tokens") != std::string::npos;
  }));
}

TEST(BundleTemplate, CheckpointsKeepTheTextByteForByte) {
  const auto model = load_model(tiny.string(), "cpu", "auto");
  EXPECT_EQ(model.chat_template->name(), jinja_name);
  const auto card = model_card(model);
  EXPECT_EQ(card.at(template_file), "jinja");
  EXPECT_EQ(card.at(jinja_file), read_file(tiny / "chat_template.jinja"));
}

}  // namespace
}  // namespace seawall
