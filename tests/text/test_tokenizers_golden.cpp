// Token ids of 20,000 strings against Hugging Face tokenizers and SentencePiece, made by
// data/golden/make_tokenizers.py. Ids are exact, so there is no tolerance.
#include <nlohmann/json.hpp>

#include "seawall/core/hash.hpp"
#include "text_support.hpp"

namespace seawall {
namespace {

using namespace testing;
using nlohmann::json;
namespace fs = std::filesystem;

const fs::path tokenizer_folder = fs::path(SEAWALL_SOURCE_DIR) / "data" / "golden" / "tokenizers";
constexpr std::size_t strings = 20000, block = 100;

json read_json(const char* name) {
  std::ifstream in(tokenizer_folder / name);
  return json::parse(in);
}

/// The generator of make_tokenizers.py.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) { below(2); }
  std::uint64_t below(std::uint64_t n) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return (state_ >> 33) % n;
  }

 private:
  std::uint64_t state_;
};

std::string utf8(std::uint64_t c) {
  const auto byte = [](std::uint64_t value) { return static_cast<char>(value); };
  const auto tail = [&](int shift) { return byte(0x80 | (c >> shift & 0x3F)); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xC0 | c >> 6), tail(0)};
  if (c < 0x10000) return {byte(0xE0 | c >> 12), tail(6), tail(0)};
  return {byte(0xF0 | c >> 18), tail(12), tail(6), tail(0)};
}

std::string make_string(std::uint64_t seed, const std::vector<std::string>& fragments,
                        const std::vector<std::vector<std::string>>& lists) {
  constexpr std::uint64_t ranges[][2] = {{1, 0x20},         {0x20, 0x80},     {0x80, 0x800},
                                         {0x800, 0x3000},   {0x3000, 0xD800}, {0xE000, 0x10000},
                                         {0x10000, 0x20000}};
  Draw draw(seed);
  std::string out;
  const auto count = 1 + draw.below(10);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto kind = draw.below(16);
    if (kind < 10) {
      out += fragments[draw.below(fragments.size())];
    } else if (kind == 10) {
      const auto& [low, high] = ranges[draw.below(std::size(ranges))];
      out += utf8(low + draw.below(high - low));
    } else {
      const auto& chosen = lists[kind - 11];
      const auto times = 1 + draw.below(3);
      for (std::uint64_t j = 0; j < times; ++j) out += chosen[draw.below(chosen.size())];
    }
  }
  return out;
}

const std::vector<std::string>& texts() {
  static const auto made = [] {
    const auto pool = read_json("pool.json");
    const auto fragments = pool.at("fragments").get<std::vector<std::string>>();
    const auto lists = pool.at("lists").get<std::vector<std::vector<std::string>>>();
    std::vector<std::string> all;
    for (std::size_t seed = 0; seed < strings; ++seed)
      all.push_back(make_string(seed, fragments, lists));
    return all;
  }();
  return made;
}

const json& answers() {
  static const auto all = read_json("golden.json");
  return all;
}

/// Compares block by block; says the first block that differs.
void expect_ids(const Tokenizer& tokenizer, const json& hashes, bool special) {
  ASSERT_EQ(hashes.size(), strings / block);
  for (std::size_t b = 0; b < hashes.size(); ++b) {
    std::string lines;
    for (std::size_t i = b * block; i < (b + 1) * block; ++i) {
      std::string line;
      for (const auto id : tokenizer.encode(texts()[i], special))
        line += (line.empty() ? "" : ",") + std::to_string(id);
      lines += (i > b * block ? "\n" : "") + line;
    }
    ASSERT_EQ(sha256_hex(lines).substr(0, 8), hashes[b].get<std::string>())
        << "strings " << b * block << " to " << (b + 1) * block - 1
        << (special ? ", control tokens read" : ", as user text");
  }
}

TEST(TokenizersGolden, TheGeneratorIsThatOfTheScript) {
  std::string all;
  for (const auto& text : texts()) all += (all.empty() ? "" : "\n") + text;
  EXPECT_EQ(sha256_hex(all), answers().at("strings_sha256").get<std::string>());
}

class JsonTokenizer : public ::testing::TestWithParam<const char*> {};

TEST_P(JsonTokenizer, HasTheIdsOfHuggingFace) {
  const std::string name = GetParam();
  const auto tokenizer = load_tokenizer_json(tokenizer_folder / (name + ".json"));
  const auto& wanted = answers().at("tokenizers").at(name);
  for (std::size_t i = 0; i < wanted.at("first").size(); ++i) {
    EXPECT_EQ(tokenizer->encode(texts()[i], true), wanted["first"][i].get<TokenIds>())
        << json(texts()[i]).dump();
  }
  expect_ids(*tokenizer, wanted.at("special"), true);
  expect_ids(*tokenizer, wanted.at("plain"), false);
}

TEST_P(JsonTokenizer, DecodesAsHuggingFaceDoes) {
  const std::string name = GetParam();
  const auto tokenizer = load_tokenizer_json(tokenizer_folder / (name + ".json"));
  std::string all;
  for (std::size_t i = 0; i < 2000; ++i) {
    all += (i > 0 ? "\n" : "") + tokenizer->decode(tokenizer->encode(texts()[i], true), false);
  }
  EXPECT_EQ(sha256_hex(all), answers().at("tokenizers").at(name).at("decoded").get<std::string>());
}

TEST_P(JsonTokenizer, IsSavedByteForByte) {
  const std::string name = GetParam();
  const Folder folder;
  load_tokenizer_json(tokenizer_folder / (name + ".json"))->save(folder.path());
  std::ifstream in(tokenizer_folder / (name + ".json"), std::ios::binary);
  EXPECT_EQ(folder.read("tokenizer.json"), std::string(std::istreambuf_iterator<char>(in), {}));
}

INSTANTIATE_TEST_SUITE_P(Shapes, JsonTokenizer,
                         ::testing::Values("gpt2", "smollm", "llama3", "qwen2", "flags", "llama2",
                                           "mistral", "metaspace", "gemma"),
                         [](const auto& info) { return std::string(info.param); });

TEST(TokenizersGolden, SentencePieceModelsHaveTheIdsOfThePackage) {
  for (const auto* name : {"spm_bpe", "spm_trimmed", "organism"}) {
    SCOPED_TRACE(name);
    const auto file =
        std::string(name) == "organism"
            ? tokenizer_folder.parent_path().parent_path() / "organism" / "tokenizer.model"
            : tokenizer_folder / (std::string(name) + ".model");
    const auto tokenizer = load_sentencepiece(file);
    const auto& wanted = answers().at("tokenizers").at(name);
    for (std::size_t i = 0; i < wanted.at("first").size(); ++i) {
      EXPECT_EQ(tokenizer->encode(texts()[i], false), wanted["first"][i].get<TokenIds>())
          << json(texts()[i]).dump();
    }
    expect_ids(*tokenizer, wanted.at("plain"), false);
  }
}

TEST(TokenizersGolden, ABosIsReadFromThePostProcessor) {
  const auto with = load_tokenizer_json(tokenizer_folder / "llama2.json");
  EXPECT_EQ(with->bos_id(), with->id_of("<s>"));
  EXPECT_EQ(load_tokenizer_json(tokenizer_folder / "gpt2.json")->bos_id(), std::nullopt);
}

TEST(TokenizersGolden, WhatAMessageSaysStaysTextInACharacterTokenizerToo) {
  const auto tokenizer = load_tokenizer_json(tokenizer_folder / "llama2.json");
  const std::string text = "<s>a</s>";
  EXPECT_EQ(tokenizer->cut(text).size(), 3u);
  std::string marks(text.size(), 0);
  marks[5] = 1;
  const auto pieces = tokenizer->cut(text, marks);
  ASSERT_EQ(pieces.size(), 2u);
  EXPECT_EQ(pieces[0].control, tokenizer->id_of("<s>"));
  EXPECT_EQ(pieces[1], (TextPiece{3, text.size()}));
}

}  // namespace
}  // namespace seawall
