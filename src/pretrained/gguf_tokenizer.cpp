#include "pretrained/gguf_tokenizer.hpp"

#include <optional>
#include <variant>

#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"
#include "seawall/text/gguf_pre.hpp"

namespace seawall {
namespace {

std::optional<std::int32_t> token_id(const GgufFile& gguf, const char* key) {
  if (!gguf.has(key)) return std::nullopt;
  return static_cast<std::int32_t>(gguf.integer(key));
}

/// How the text is split into words. A guess would change the ids without a word.
std::string pre_of(const GgufFile& gguf, const std::string& given) {
  const bool has = gguf.has("tokenizer.ggml.pre");
  std::string name = !given.empty() ? given : has ? gguf.text("tokenizer.ggml.pre") : "";
  if (gguf_pre(name)) return name;
  const auto what = !given.empty() ? "--tokenizer-pre " + shown(given) + " is not known"
                    : has ? "tokenizer.ggml.pre is `" + shown(name) + "`, which is not known"
                          : std::string("tokenizer.ggml.pre is missing");
  throw DataError(gguf.where() + ": " + what +
                  ", so that nothing says how text is split into words; convert the model again "
                  "with a newer llama.cpp, or name the splitting with --tokenizer-pre: one of " +
                  gguf_pre_names());
}

std::unique_ptr<Tokenizer> bpe_of_gguf(const GgufFile& gguf, const std::string& given) {
  BpeSpec spec;
  spec.tokens = gguf.texts("tokenizer.ggml.tokens");
  spec.merges = gguf.texts("tokenizer.ggml.merges");
  const auto pre = pre_of(gguf, given);
  spec.pre_tokenizer = gguf_pre(pre)->pattern;
  spec.ignore_merges = gguf_pre(pre)->ignore_merges;
  // What the tokenizer.json of Qwen2 has in addition to the pattern.
  if (pre == "qwen2") spec.normalizer.push_back({.kind = NormalStep::Kind::nfc});
  constexpr std::int64_t control = 3, user_defined = 4;
  if (gguf.has("tokenizer.ggml.token_type")) {
    const auto& types = gguf.integers("tokenizer.ggml.token_type");
    for (std::size_t i = 0; i < types.size(); ++i) {
      if (types[i] == control) spec.special_ids.push_back(static_cast<std::int32_t>(i));
      if (types[i] == user_defined) spec.added_ids.push_back(static_cast<std::int32_t>(i));
    }
  }
  spec.bos = token_id(gguf, "tokenizer.ggml.bos_token_id");
  spec.eos = token_id(gguf, "tokenizer.ggml.eos_token_id");
  return make_bpe_tokenizer(std::move(spec));
}

std::unique_ptr<Tokenizer> sentencepiece_of_gguf(const GgufFile& gguf) {
  const auto& where = gguf.where();
  PieceSpec spec;
  spec.tokens = gguf.texts("tokenizer.ggml.tokens");
  spec.types = gguf.integers("tokenizer.ggml.token_type");
  const auto scores = gguf.metadata().find("tokenizer.ggml.scores");
  if (scores == gguf.metadata().end() ||
      !std::holds_alternative<std::vector<double>>(scores->second))
    throw DataError(where + ": tokenizer.ggml.scores is missing or not a list of numbers");
  spec.scores = std::get<std::vector<double>>(scores->second);
  spec.bos = token_id(gguf, "tokenizer.ggml.bos_token_id").value_or(spec.bos);
  spec.eos = token_id(gguf, "tokenizer.ggml.eos_token_id").value_or(spec.eos);
  const auto prefix = gguf.metadata().find("tokenizer.ggml.add_space_prefix");
  if (prefix != gguf.metadata().end()) {
    if (!std::holds_alternative<bool>(prefix->second))
      throw DataError(where + ": tokenizer.ggml.add_space_prefix: want true or false");
    spec.space_prefix = std::get<bool>(prefix->second);
  }
  return make_sentencepiece(spec, where);
}

}  // namespace

std::unique_ptr<Tokenizer> gguf_tokenizer(const GgufFile& gguf, const std::string& pre) {
  const auto& where = gguf.where();
  const std::string& model = gguf.text("tokenizer.ggml.model");
  try {
    if (model == "gpt2") return bpe_of_gguf(gguf, pre);
    if (model == "llama") return sentencepiece_of_gguf(gguf);
  } catch (const DataError& e) {
    const std::string what = e.what();
    throw DataError(what.starts_with(where) ? what : where + ": " + what);
  }
  throw DataError(where + ": tokenizer.ggml.model is `" + model +
                  "`; this reads gpt2 (byte-level BPE) and llama (SentencePiece)");
}

}  // namespace seawall
