#include <nlohmann/json.hpp>

#include "text_support.hpp"

namespace seawall {
namespace {

using namespace testing;
using nlohmann::json;

json saved(const BpeSpec& spec = bpe_spec()) {
  const Folder folder;
  make_bpe_tokenizer(spec)->save(folder.path());
  return json::parse(bytes_of(folder.path() / "tokenizer.json"));
}

std::string refusal(const json& document) {
  const Folder folder;
  const auto file = folder.write("tokenizer.json", document.dump());
  return message_of<DataError>([&] { load_tokenizer_json(file); });
}

TEST(TokenizerJson, WhatIsSavedReadsBackTheSame) {
  for (const auto* pattern : {"smollm", "gpt-2", "llama-bpe", "qwen2"}) {
    auto spec = bpe_spec();
    spec.pre_tokenizer = pattern;
    spec.ignore_merges = spec.pre_tokenizer == "llama-bpe";
    const auto before = make_bpe_tokenizer(spec);
    const Folder folder;
    before->save(folder.path());
    const auto after = load_tokenizer_json(folder.path() / "tokenizer.json");
    EXPECT_EQ(after->content_hash(), before->content_hash()) << pattern;
    EXPECT_EQ(after->bos_id(), before->bos_id());
    EXPECT_EQ(after->eos_id(), before->eos_id());
  }
}

TEST(TokenizerJson, ReadsPairsOfMergesAndObjectsOfNames) {
  auto document = saved();
  for (auto& merge : document["model"]["merges"]) {
    const auto text = merge.get<std::string>();
    merge = {text.substr(0, text.find(' ')), text.substr(text.find(' ') + 1)};
  }
  const Folder folder;
  const auto file = folder.write("tokenizer.json", document.dump());
  folder.write("tokenizer_config.json",
               R"({"bos_token": null, "eos_token": {"content": "<|im_end|>"}})");
  const auto tokenizer = load_tokenizer_json(file);
  EXPECT_EQ(tokenizer->encode("hello"), (TokenIds{259}));
  EXPECT_EQ(tokenizer->bos_id(), std::nullopt);
  EXPECT_EQ(tokenizer->eos_id(), 264);
}

TEST(TokenizerJson, WhatWouldBeTokenizedDifferentlyIsRefusedByField) {
  const auto with = [](const char* pointer, const json& value) {
    auto document = saved();
    document[json::json_pointer(pointer)] = value;
    return refusal(document);
  };
  EXPECT_HAS(with("/model/type", "Unigram"), "model.type");
  EXPECT_HAS(with("/model/byte_fallback", true), "model.byte_fallback");
  EXPECT_HAS(with("/model/dropout", 0.1), "model.dropout");
  EXPECT_HAS(with("/model/end_of_word_suffix", "</w>"), "model.end_of_word_suffix");
  EXPECT_HAS(with("/normalizer", {{"type", "Lowercase"}}), "normalizer: step 'Lowercase'");
  EXPECT_HAS(with("/normalizer", {{"type", "Replace"}, {"pattern", {{"Regex", "a"}}}}),
             "normalizer.pattern: want a String");
  EXPECT_HAS(with("/decoder/type", "WordPiece"), "decoder: step 'WordPiece'");
  EXPECT_HAS(with("/post_processor", {{"type", "BertProcessing"}}),
             "post_processor: step 'BertProcessing'");
  EXPECT_HAS(with("/model/merges/0", json::array({"a b", "c"})), "model.merges[0][0]");
  EXPECT_HAS(with("/pre_tokenizer/pretokenizers/0/type", "Whitespace"), "pretokenizers[0]");
  EXPECT_HAS(with("/pre_tokenizer/pretokenizers/0/individual_digits", false), "individual_digits");
  EXPECT_HAS(with("/pre_tokenizer/pretokenizers/1/add_prefix_space", true), "add_prefix_space");
  EXPECT_HAS(with("/pre_tokenizer/pretokenizers/1/use_regex", false), "use_regex");
  EXPECT_HAS(with("/added_tokens/0/lstrip", "yes"), "added_tokens[0].lstrip");
  EXPECT_HAS(with("/added_tokens/0/id", 5), "id 5 is given to two tokens");
  EXPECT_HAS(with("/added_tokens/0/id", 1LL << 40), "added_tokens[0].id");
  EXPECT_HAS(with("/model/vocab/hello", -1), "model.vocab['hello']");
  EXPECT_HAS(with("/model/merges/0", "q"), "merge 0");
  auto unknown = saved([] {
    auto spec = bpe_spec();
    spec.pre_tokenizer = "qwen2";
    return spec;
  }());
  unknown["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = ".";
  EXPECT_HAS(refusal(unknown), "pretokenizers[0].pattern");
}

TEST(TokenizerJson, AControlTokenThatTheNormalizerChangesIsRefused) {
  auto document = saved();
  document["added_tokens"][0]["normalized"] = true;
  document["normalizer"] = {{"type", "NFC"}};
  const Folder folder;
  const auto file = folder.write("tokenizer.json", document.dump());
  EXPECT_EQ(load_tokenizer_json(file)->encode("<|im_start|>", true).size(), 1u);
  document["normalizer"] = {{"type", "Prepend"}, {"prepend", "_"}};
  EXPECT_HAS(refusal(document), "added_tokens[0].normalized");
}

TEST(TokenizerJson, MissingFieldsAndWrongJsonNameTheFile) {
  auto document = saved();
  document["model"].erase("merges");
  EXPECT_HAS(refusal(document), "tokenizer.json: model: field 'merges' is missing");
  const Folder folder;
  const auto cut = folder.write("tokenizer.json", saved().dump().substr(0, 200));
  EXPECT_HAS(message_of<DataError>([&] { load_tokenizer_json(cut); }), "not valid JSON");
  EXPECT_HAS(message_of<IoError>([&] { load_tokenizer_json(folder.path() / "none.json"); }),
             "none.json");
  const auto deep = folder.write("deep.json", std::string(100000, '['));
  EXPECT_HAS(message_of<DataError>([&] { load_tokenizer_json(deep); }), "64 levels");
}

}  // namespace
}  // namespace seawall
