// What a folder's files say of its tokens and steps, against transformers' AutoTokenizer: made by
// data/golden/make_folder_tokens.py.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "seawall/text/folder_tokenizer.hpp"
#include "text_support.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;
using namespace testing;

const fs::path golden_data = fs::path(SEAWALL_SOURCE_DIR) / "data" / "golden";

bool told(const Notices& notices, const std::string& part) {
  return std::ranges::any_of(
      notices, [&](const std::string& text) { return text.find(part) != std::string::npos; });
}

TEST(FolderTokens, IdsAreThoseOfAutoTokenizer) {
  // Tokens are added in the order of the files.
  const auto document = nlohmann::ordered_json::parse(bytes_of(golden_data / "folder_tokens.json"));
  for (const auto& each : document.at("cases")) {
    SCOPED_TRACE(each.at("name").get<std::string>());
    const Folder folder;
    const auto source = each.at("source").get<std::string>();
    fs::copy_file(golden_data / source,
                  folder / (source.ends_with(".model") ? "tokenizer.model" : "tokenizer.json"));
    for (const auto& [name, value] : each.at("files").items()) folder.write(name, value.dump());
    const auto read = load_folder_tokenizer(folder.path());
    for (std::size_t i = 0; i < document.at("texts").size(); ++i)
      EXPECT_EQ(read.tokenizer->encode(document.at("texts")[i].get<std::string>(), true),
                each.at("ids")[i].get<TokenIds>())
          << document.at("texts")[i];
  }
}

/// The tokenizer of a folder without its tokenizer.model, by the files that are made of it; null if
/// there are none.
std::unique_ptr<Tokenizer> without_model(const fs::path& folder) {
  const auto [json, config] = files_of_sentencepiece(folder);
  if (json.empty()) return nullptr;
  const Folder again;
  fs::copy(folder, again.path());
  fs::remove(again / "tokenizer.model");
  again.write("tokenizer.json", json);
  if (!config.empty()) again.write("tokenizer_config.json", config);
  return load_folder_tokenizer(again.path()).tokenizer;
}

TEST(FolderTokens, AModelAloneBecomesATokenizerJsonOfTheSameIds) {
  const auto document = nlohmann::ordered_json::parse(bytes_of(golden_data / "folder_tokens.json"));
  std::size_t made = 0;
  for (const auto& each : document.at("cases")) {
    const auto source = each.at("source").get<std::string>();
    if (!source.ends_with(".model")) continue;
    SCOPED_TRACE(each.at("name").get<std::string>());
    const Folder folder;
    fs::copy_file(golden_data / source, folder / "tokenizer.model");
    for (const auto& [name, value] : each.at("files").items()) folder.write(name, value.dump());
    const auto ours = load_folder_tokenizer(folder.path()).tokenizer;
    const auto again = without_model(folder.path());
    if (again == nullptr) continue;
    ++made;
    for (const auto& text : document.at("texts"))
      EXPECT_EQ(again->encode(text.get<std::string>(), true),
                ours->encode(text.get<std::string>(), true))
          << text;
  }
  EXPECT_GT(made, 3);
}

TEST(FolderTokens, TheLibrarysOwnRuleBecomesATokenizerJsonOfTheSameIds) {
  const Folder folder;
  folder.write("tokenizer.model", spm_model());
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "LlamaTokenizer", "legacy": true})");
  const auto ours = load_folder_tokenizer(folder.path()).tokenizer;
  const auto again = without_model(folder.path());
  ASSERT_NE(again, nullptr);
  for (const char* text :
       {"hello the", " hello", "  a\n\n hello ", "7 é ▁the", "<|user|>hello<|assistant|> the</s>",
        "", " ", "<|user|><|assistant|>", "<0x41> hell"}) {
    EXPECT_EQ(again->encode(text, true), ours->encode(text, true)) << text;
    EXPECT_EQ(again->encode(text, false), ours->encode(text, false)) << text;
    const auto ids = ours->encode(text, true);
    EXPECT_EQ(again->decode(ids, true), ours->decode(ids, true)) << text;
  }
  EXPECT_EQ(again->bos_id(), ours->bos_id());
  EXPECT_EQ(again->eos_id(), ours->eos_id());
}

TEST(FolderTokens, AModelThatChangesTextBecomesNone) {
  const Folder folder;
  const std::string fewer_spaces = bytes_field(3, number_field(4, 1));
  folder.write("tokenizer.model", spm_model(fewer_spaces));
  EXPECT_EQ(files_of_sentencepiece(folder.path()).json, "");
  folder.write("tokenizer.model", spm_model(piece("kettle", -50, 4)));  // the user's own piece
  EXPECT_EQ(files_of_sentencepiece(folder.path()).json, "");
}

/// A folder with llama_tiny's tokenizer.json and these other files.
FolderTokenizer with(const std::vector<std::pair<std::string, std::string>>& files,
                     const std::string& source = "llama_tiny/tokenizer.json") {
  const Folder folder;
  fs::copy_file(golden_data / source, folder / "tokenizer.json");
  for (const auto& [name, text] : files) folder.write(name, text);
  return load_folder_tokenizer(folder.path());
}

TEST(FolderTokens, WhereFilesDisagreeItIsSaidWhichCounts) {
  EXPECT_TRUE(with({{"tokenizer_config.json", R"({"eos_token": "<|im_end|>"})"}}).notices.empty());
  const auto map = with({{"tokenizer_config.json", R"({"eos_token": "<|im_end|>"})"},
                         {"special_tokens_map.json", R"({"eos_token": "<|endoftext|>"})"}});
  EXPECT_TRUE(told(map.notices, "special_tokens_map.json counts"));
  EXPECT_EQ(map.tokenizer->eos_id(), 0);
  const auto decoder =
      with({{"tokenizer_config.json", R"({"eos_token": "<|im_end|>", "added_tokens_decoder": {}})"},
            {"special_tokens_map.json", R"({"eos_token": "<|endoftext|>"})"}});
  EXPECT_TRUE(told(decoder.notices, "tokenizer_config.json counts"));
  EXPECT_EQ(decoder.tokenizer->eos_id(), 2);
  EXPECT_TRUE(told(with({{"tokenizer_config.json",
                          R"({"added_tokens_decoder": {"2": {"content": "<|im_end|>",
                              "special": true, "lstrip": true}}})"}})
                       .notices,
                   "matches token '<|im_end|>' otherwise"));
  EXPECT_TRUE(told(with({{"added_tokens.json", R"({"<x>": 311})"}}).notices,
                   "token '<x>' has id 311 in the files next to the tokenizer, but 300"));
  EXPECT_TRUE(
      told(with({{"tokenizer_config.json", R"({"tokenizer_class": "GPT2Tokenizer"})"}}).notices,
           "tokenizer.json counts with all its steps"));
  EXPECT_TRUE(
      told(with({{"config.json", R"({"model_type": "qwen2"})"}}).notices, "Qwen2Tokenizer"));
  EXPECT_TRUE(told(with({{"tokenizer_config.json", R"({"tokenizer_class": "LlamaTokenizer"})"}},
                        "tokenizers/llama2.json")
                       .notices,
                   "the latter counts"));
}

TEST(FolderTokens, TokenizerJsonCountsNextToAModelFile) {
  const auto other =
      with({{"tokenizer.model", bytes_of(golden_data / "tokenizers" / "spm_bpe.model")}});
  EXPECT_TRUE(told(other.notices, "tokenizer.model and tokenizer.json have other tokens"));
  EXPECT_EQ(other.tokenizer->vocab_size(), 300);
  // One that cannot be read leaves the model file.
  const auto broken =
      with({{"tokenizer.model", bytes_of(golden_data / "tokenizers" / "spm_bpe.model")},
            {"tokenizer.json", R"({"model": {"type": "Unigram"}, "decoder": 1})"}});
  EXPECT_TRUE(told(broken.notices, "tokenizer.model counts in its place"));
  EXPECT_EQ(broken.tokenizer->vocab_size(), 1100);
}

TEST(FolderTokens, WrongFilesAreNamed) {
  const auto refusal = [](const char* name, const char* text) {
    return message_of<DataError>([&] { with({{name, text}}); });
  };
  EXPECT_HAS(refusal("special_tokens_map.json", "[1]"), "special_tokens_map.json: want an object");
  EXPECT_HAS(refusal("added_tokens.json", R"({"<x>": -3})"),
             "added_tokens.json: <x>: want a token");
  EXPECT_HAS(refusal("tokenizer_config.json", R"({"eos_token": 3})"), "eos_token: want a text");
  EXPECT_HAS(refusal("tokenizer_config.json", R"({"extra_special_tokens": 3})"),
             "extra_special_tokens: want a list");
  EXPECT_HAS(refusal("tokenizer_config.json", R"({"added_tokens_decoder": {"a": "b"}})"),
             "added_tokens_decoder: want ids");
}

TEST(FolderTokens, ABytePairModelWithoutAByteHasItsUnknownToken) {
  auto spec = bpe_spec();
  std::erase_if(spec.merges, [](const std::string&) { return true; });
  const auto letter = spec.tokens[static_cast<unsigned char>('z')];
  spec.tokens[static_cast<unsigned char>('z')] = "<none>";
  EXPECT_EQ(make_bpe_tokenizer(spec)->encode("azzb").size(), 2u);  // dropped without one
  spec.unk = 'z';
  EXPECT_EQ(make_bpe_tokenizer(spec)->encode("azzb"), (TokenIds{'a', 'z', 'z', 'b'}));
  spec.fuse_unk = true;
  EXPECT_EQ(make_bpe_tokenizer(spec)->encode("azzb"), (TokenIds{'a', 'z', 'b'}));
}

}  // namespace
}  // namespace seawall
