#include <sentencepiece_processor.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/text/tokenizer.hpp"
#include "text/added_tokens.hpp"
#include "text/sentencepiece_proto.hpp"

namespace seawall {
namespace {

class SentencePieceTokenizer final : public Tokenizer {
 public:
  SentencePieceTokenizer(std::string serialized, const std::string& where)
      : serialized_(std::move(serialized)),
        pieces_(check_sentencepiece(serialized_, where).pieces) {
    const auto status = processor_.LoadFromSerializedProto(serialized_);
    if (!status.ok())
      throw DataError(where + ": SentencePiece refuses the model: " + status.ToString());
    if (processor_.GetPieceSize() != static_cast<int>(pieces_.size())) {
      throw DataError(where + ": SentencePiece counts " +
                      std::to_string(processor_.GetPieceSize()) + " pieces, the file has " +
                      std::to_string(pieces_.size()));
    }
    std::vector<AddedTokens::Token> controls;
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
      const auto id = static_cast<std::int32_t>(i);
      ids_.emplace(pieces_[i].text, id);
      if (is_control(id)) controls.push_back({pieces_[i].text, id});
    }
    splitter_ = AddedTokens(std::move(controls));
  }

  TokenIds encode(std::string_view text, bool parse_special) const override {
    TokenIds ids;
    if (!parse_special) {
      encode_text(text, ids);
      return ids;
    }
    for (const auto& piece : splitter_.cut(text)) {
      if (piece.control) {
        ids.push_back(*piece.control);
      } else {
        encode_text(text.substr(piece.begin, piece.end - piece.begin), ids);
      }
    }
    return ids;
  }

  std::vector<TextPiece> cut(std::string_view text, std::string_view content) const override {
    return splitter_.cut(text, content);
  }

  std::string decode(std::span<const std::int32_t> ids, bool skip_special) const override {
    std::string text;
    std::vector<int> run;
    const auto flush = [&] {
      text += processor_.DecodeIds(run);
      run.clear();
    };
    for (const auto id : ids) {
      if (id < 0) throw UsageError("decode: token id " + std::to_string(id) + ", want 0 or more");
      if (id >= vocab_size()) continue;  // a row of the embedding without a token has no text
      if (!is_control(id)) {
        run.push_back(id);
      } else if (!skip_special) {
        flush();
        text += pieces_[static_cast<std::size_t>(id)].text;
      }
    }
    flush();
    return text;
  }

  std::int64_t vocab_size() const override { return static_cast<std::int64_t>(pieces_.size()); }
  std::optional<std::int32_t> id_of(std::string_view piece) const override {
    const auto found = ids_.find(piece);
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<std::int32_t> bos_id() const override { return known(processor_.bos_id()); }
  std::optional<std::int32_t> eos_id() const override { return known(processor_.eos_id()); }
  std::string content_hash() const override { return sha256_hex(serialized_); }

  void save(const std::filesystem::path& folder) const override {
    write_file_atomically(folder / "tokenizer.model", serialized_);
    // `legacy` makes transformers put the word-start space before the text after every control
    // token, as SentencePiece does.
    nlohmann::ordered_json config = {{"tokenizer_class", "LlamaTokenizer"},
                                     {"legacy", true},
                                     {"add_bos_token", false},
                                     {"add_eos_token", false},
                                     {"clean_up_tokenization_spaces", false}};
    const auto name = [&](const char* key, int id) {
      if (known(id)) config[key] = pieces_[static_cast<std::size_t>(id)].text;
    };
    name("bos_token", processor_.bos_id());
    name("eos_token", processor_.eos_id());
    name("unk_token", processor_.unk_id());
    name("pad_token", processor_.pad_id());
    write_file_atomically(folder / "tokenizer_config.json", config.dump(2) + "\n");
  }

 private:
  bool is_control(std::int32_t id) const {
    return pieces_[static_cast<std::size_t>(id)].type == PieceType::control;
  }
  static std::optional<std::int32_t> known(int id) {
    return id < 0 ? std::nullopt : std::optional<std::int32_t>(id);
  }
  void encode_text(std::string_view text, TokenIds& ids) const {
    std::vector<int> found;
    const auto status = processor_.Encode({text.data(), text.size()}, &found);
    if (!status.ok()) throw DataError("SentencePiece cannot encode a text: " + status.ToString());
    ids.insert(ids.end(), found.begin(), found.end());
  }

  std::string serialized_;
  std::vector<SentencePieceModel::Piece> pieces_;
  std::unordered_map<std::string_view, std::int32_t> ids_;  // keys point into pieces_
  sentencepiece::SentencePieceProcessor processor_;
  AddedTokens splitter_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_sentencepiece(std::string serialized_model,
                                              const std::string& where) {
  return std::make_unique<SentencePieceTokenizer>(std::move(serialized_model), where);
}

std::unique_ptr<Tokenizer> load_sentencepiece(const std::filesystem::path& file) {
  return make_sentencepiece(read_file(file), file.string());
}

}  // namespace seawall
