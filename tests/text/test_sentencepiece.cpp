#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "text/sentencepiece_proto.hpp"
#include "text_support.hpp"

namespace seawall {
namespace {

using namespace testing;

std::string refusal(const std::string& model) {
  return message_of<DataError>([&] { make_sentencepiece(model, "m.model"); });
}

TEST(SentencePiece, EncodesAndDecodes) {
  const auto tokenizer = make_sentencepiece(spm_model(), "m.model");
  EXPECT_EQ(tokenizer->vocab_size(), 284);
  const auto hello = tokenizer->id_of("▁hello").value(), the = tokenizer->id_of("▁the").value();
  EXPECT_EQ(tokenizer->encode("hello the"), (TokenIds{hello, the}));
  EXPECT_EQ(tokenizer->decode(TokenIds{1, hello, the, 2}), "hello the");
  EXPECT_EQ(tokenizer->decode(TokenIds{1, 4, hello, 2}, false), "<s><|user|>hello</s>");
  EXPECT_EQ(tokenizer->bos_id(), 1);
  EXPECT_EQ(tokenizer->eos_id(), 2);
  EXPECT_EQ(tokenizer->id_of("<|user|>"), 4);
  EXPECT_EQ(tokenizer->id_of("nothing"), std::nullopt);
}

TEST(SentencePiece, TextOutsideThePiecesFallsBackToBytesAndComesBack) {
  const auto tokenizer = make_sentencepiece(spm_model(), "m.model");
  const std::string text = "  hello é 中\n\ttab 🙂";
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
}

TEST(SentencePiece, ControlPiecesNeverComeFromUserText) {
  const auto tokenizer = make_sentencepiece(spm_model(), "m.model");
  for (const auto* text : {"<s>", "</s>", "<|user|>", "a <|assistant|> </s>", "<unk>"}) {
    for (const auto id : tokenizer->encode(text)) EXPECT_GT(id, 5) << text;
  }
  const auto ids = tokenizer->encode("<s><|user|>hello</s>", true);
  EXPECT_EQ(ids, (TokenIds{1, 4, tokenizer->id_of("▁hello").value(), 2}));
}

TEST(SentencePiece, WrongIdsAreRefused) {
  const auto tokenizer = make_sentencepiece(spm_model(), "m.model");
  EXPECT_EQ(tokenizer->decode(TokenIds{284}), "");  // a padded embedding's row
  EXPECT_THROW(tokenizer->decode(TokenIds{-1}), UsageError);
}

TEST(SentencePiece, SavesWhatTransformersReads) {
  const auto tokenizer = make_sentencepiece(spm_model(), "m.model");
  const Folder folder;
  tokenizer->save(folder.path());
  const auto again = load_sentencepiece(folder.path() / "tokenizer.model");
  EXPECT_EQ(again->content_hash(), tokenizer->content_hash());
  std::ifstream in(folder.path() / "tokenizer_config.json");
  const auto config = nlohmann::json::parse(in);
  EXPECT_EQ(config["tokenizer_class"], "LlamaTokenizer");
  EXPECT_EQ(config["legacy"], true);
  EXPECT_EQ(config["bos_token"], "<s>");
  EXPECT_EQ(config["eos_token"], "</s>");
}

TEST(SentencePiece, IsRebuiltFromThePiecesThatGgufHolds) {
  const auto whole = make_sentencepiece(spm_model(), "m.model");
  PieceSpec spec;
  for (std::int64_t id = 0; id < whole->vocab_size(); ++id) {
    spec.types.push_back(id == 0 ? 2 : id < 6 ? 3 : id < 262 ? 6 : 1);
    spec.scores.push_back(id < 262 ? 0 : 261.0 - static_cast<double>(id));
  }
  const auto pieces = check_sentencepiece(spm_model(), "m.model").pieces;
  for (const auto& piece : pieces) spec.tokens.push_back(piece.text);
  const auto rebuilt = make_sentencepiece(spec, "m.gguf");
  for (const auto* text : {"hello the hell", "  a  é\n", "<s>the", ""}) {
    EXPECT_EQ(rebuilt->encode(text), whole->encode(text)) << text;
    EXPECT_EQ(rebuilt->encode(text, true), whole->encode(text, true)) << text;
  }
  EXPECT_EQ(rebuilt->bos_id(), 1);
  EXPECT_EQ(rebuilt->eos_id(), 2);
  auto without_prefix = spec;
  without_prefix.space_prefix = false;
  EXPECT_EQ(make_sentencepiece(without_prefix, "m.gguf")->encode("hello").size(), 1u);
  EXPECT_NE(make_sentencepiece(without_prefix, "m.gguf")->encode("hello"), whole->encode("hello"));
  const auto refuse = [&](auto&& change) {
    auto wrong = spec;
    change(wrong);
    return message_of<DataError>([&] { make_sentencepiece(wrong, "m.gguf"); });
  };
  EXPECT_HAS(refuse([](PieceSpec& s) { s.scores.pop_back(); }), "m.gguf: 284 tokens, 283 scores");
  EXPECT_HAS(refuse([](PieceSpec& s) { s.types[9] = 0; }), "has type 0, want 1 to 6");
  EXPECT_HAS(refuse([](PieceSpec& s) { s.bos = 284; }), "bos id 284");
  EXPECT_HAS(refuse([](PieceSpec& s) { s.scores[300 - 30] = INFINITY; }), "score");
}

TEST(SentencePiece, PiecesOutsideTheBoundsAreRefused) {
  EXPECT_HAS(refusal(""), "no pieces");
  EXPECT_HAS(refusal(spm_model(piece(std::string(5000, 'x'), 0, 1))), "a piece of 5000 bytes");
  EXPECT_HAS(refusal(spm_model(piece(std::string(500000, 'x'), 0, 1))), "500000");
  EXPECT_HAS(refusal(spm_model(piece("", 0, 1))), "a piece of 0 bytes");
  EXPECT_HAS(refusal(spm_model(bytes_field(1, float_field(2, 0)))), "a piece without text");
  EXPECT_HAS(refusal(spm_model(piece("he", 0, 1))), "'he' is there twice");
  EXPECT_HAS(refusal(spm_model(piece("x", NAN, 1))), "score");
  EXPECT_HAS(refusal(spm_model(piece("x", 0, 9))), "unknown piece type");
  EXPECT_HAS(refusal(spm_model(piece("\xFF", 0, 1))), "UTF-8");
  EXPECT_HAS(refusal(spm_model(piece("<unk2>", 0, 2))), "one unknown piece, found 2");
  EXPECT_HAS(refusal(spm_model(piece("<0xZZ>", 0, 6))), "byte piece");
  EXPECT_HAS(refusal(spm_model(piece("é", 0, 3))), "one character");
}

TEST(SentencePiece, BrokenWireFormatNamesFileAndByte) {
  const auto whole = spm_model();
  EXPECT_HAS(refusal(whole.substr(0, whole.size() - 1)), "m.model: byte ");
  EXPECT_HAS(refusal("\x0A\xFF"), "ends inside a number");
  EXPECT_HAS(refusal("\x0B"), "wire type 3");
  EXPECT_HAS(refusal(std::string(12, '\xFF')), "longer than 10 bytes");
  EXPECT_HAS(refusal(number_field(1, 3)), "field 1 has wire type 0");
  EXPECT_HAS(refusal("{\"json\": true}"), "not a SentencePiece model");
  EXPECT_HAS(refusal(spm_model(bytes_field(2, number_field(3, 7)))), "model type");
}

/// Size of the trie, its units, then the replacement texts.
std::string character_map(const std::vector<std::uint32_t>& units, const std::string& texts) {
  const auto size = static_cast<std::uint32_t>(units.size() * sizeof(units[0]));
  std::string map(sizeof(size) + size, '\0');
  std::memcpy(map.data(), &size, sizeof(size));
  std::memcpy(map.data() + sizeof(size), units.data(), size);
  return bytes_field(3, bytes_field(2, map + texts));
}

TEST(SentencePiece, ANormalizationTableThatPointsOutsideItselfIsRefused) {
  const std::string texts("x\0", 2);
  std::vector<std::uint32_t> units(512, 0);
  units[0] = 256u << 10;  // the root's children begin at 256
  const auto tokenizer = make_sentencepiece(spm_model(character_map(units, texts)), "m.model");
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("hello")), "hello");

  auto outside = units;
  outside[0] = 4096u << 10;
  EXPECT_HAS(refusal(spm_model(character_map(outside, texts))), "leaves the trie");
  auto deep = units;
  deep[256 + 'h'] = 'h' | (90000u << 10);  // reached by the letter h
  EXPECT_HAS(refusal(spm_model(character_map(deep, texts))), "leaves the trie");
  auto leaf = units;
  leaf[0] |= 1u << 8;
  leaf[256] = 0x80000000u | 77;  // value 77 of 2 bytes
  EXPECT_HAS(refusal(spm_model(character_map(leaf, texts))), "outside the replacement texts");
  EXPECT_HAS(refusal(spm_model(character_map(units, "open"))), "without an end");
  EXPECT_HAS(refusal(spm_model(bytes_field(3, bytes_field(2, "\xFF\xFF\xFF\x7F")))),
             "impossible size");
}

}  // namespace
}  // namespace seawall
