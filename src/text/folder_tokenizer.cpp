#include "seawall/text/folder_tokenizer.hpp"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>
#include <unordered_map>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/json.hpp"
#include "seawall/core/text.hpp"
#include "seawall/text/folder_tokens.hpp"
#include "text/sentencepiece_proto.hpp"
#include "text/tokenizer_json.hpp"

namespace seawall {
namespace fs = std::filesystem;
namespace {

/// Merges that make the pieces in the order of their ids.
/// Source: transformers 5.23, generate_merges.
std::vector<std::string> merges_of(const SentencePieceModel& model) {
  std::unordered_map<std::string_view, std::size_t> ids;
  for (std::size_t i = 0; i < model.pieces.size(); ++i) ids.emplace(model.pieces[i].text, i);
  std::vector<std::string> merges;
  for (const auto& piece : model.pieces) {
    if (piece.type == PieceType::control) continue;
    const std::string_view text = piece.text;
    for (std::size_t cut = 1; cut < text.size(); ++cut) {  // shorter left parts first
      if ((static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) continue;
      if (ids.contains(text.substr(0, cut)) && ids.contains(text.substr(cut)))
        merges.push_back(std::string(text.substr(0, cut)) + " " + std::string(text.substr(cut)));
    }
  }
  return merges;
}

/// A byte-pair SentencePiece model as LlamaTokenizer and GemmaTokenizer of transformers 5 read it.
BpeSpec spec_of(const SentencePieceModel& model, FolderTokens& own, TokenizerShape shape) {
  BpeSpec spec = steps_of_class(own, shape);
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    const auto& piece = model.pieces[i];
    spec.tokens.push_back(piece.text);
    const auto id = static_cast<std::int32_t>(i);
    if (piece.type == PieceType::control) spec.special_ids.push_back(id);
    if (piece.type == PieceType::user_defined) spec.added_ids.push_back(id);
  }
  spec.merges = merges_of(model);
  own.add_defaults(shape);
  add_folder_tokens(own, spec.tokens.size(), spec);
  spec.config_json = own.config_json;
  return spec;
}

/// A folder's tokenizer.model, and what reads it.
struct ModelFile {
  explicit ModelFile(const fs::path& file)
      : own(read_folder_tokens(file.parent_path())),
        bytes(read_file(file)),
        model(check_sentencepiece(bytes, file.string())),
        shape(own.shape(false)) {
    known = std::ranges::all_of(own.tokens, [&](const FolderToken& token) {
      return std::ranges::any_of(model.pieces, [&](const auto& p) { return p.text == token.text; });
    });
    const bool by_class = shape == TokenizerShape::llama || shape == TokenizerShape::gemma;
    as_library = shape == TokenizerShape::llama && own.legacy.value_or(false) &&
                 own.prefix_space.value_or(true) && known;
    as_class = model.byte_pair && by_class && !as_library;
  }
  FolderTokens own;
  std::string bytes;
  SentencePieceModel model;
  TokenizerShape shape;
  bool known = false;  // every token that the folder names is in it
  /// LlamaTokenizer with legacy true has the library's own rule; other classes have theirs.
  bool as_library = false, as_class = false;
};

/// Merges of ordinary pieces, those that SentencePiece prefers first.
/// Source: transformers 5.24, SpmConverter.build_tokenizer_from_spm_proto.
std::vector<std::string> merges_by_score(const SentencePieceModel& model) {
  std::unordered_map<std::string_view, std::size_t> ordinary;
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    if (model.pieces[i].type != PieceType::normal) continue;
    ordinary.emplace(model.pieces[i].text, i);
    order.push_back(i);
  }
  std::ranges::stable_sort(order, std::greater{},
                           [&](std::size_t i) { return model.pieces[i].score; });
  std::vector<std::string> merges;
  for (const auto i : order) {
    const std::string_view text = model.pieces[i].text;
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
      const auto left = text.substr(0, cut), right = text.substr(cut);
      if (ordinary.contains(left) && ordinary.contains(right))
        merges.push_back(std::string(left) + " " + std::string(right));
    }
  }
  return merges;
}

/// A byte-pair model as the SentencePiece library reads it; nullopt if no steps of tokenizer.json
/// do the same.
std::optional<BpeSpec> library_spec(const SentencePieceModel& model) {
  if (!model.byte_pair || model.changes_text) return std::nullopt;
  BpeSpec spec;
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    const auto& piece = model.pieces[i];
    const auto id = static_cast<std::int32_t>(i);
    if (piece.type == PieceType::user_defined || piece.type == PieceType::unused)
      return std::nullopt;
    if (piece.type == PieceType::control) spec.special_ids.push_back(id);
    if (piece.type == PieceType::unknown) spec.unk = id;
    spec.tokens.push_back(piece.text);
  }
  spec.merges = merges_by_score(model);
  if (model.space_prefix) spec.normalizer.push_back({NormalStep::Kind::prepend, "\u2581", ""});
  spec.normalizer.push_back({NormalStep::Kind::replace, " ", "\u2581"});
  spec.pre_tokenizer = "none";
  spec.characters = spec.fuse_unk = true;
  spec.byte_fallback = model.byte_fallback;
  spec.strip_first = model.space_prefix;
  return spec;
}

FolderTokenizer of_model(const fs::path& file) {
  ModelFile read(file);
  const auto& [own, bytes, model, shape, known, as_library, as_class] = read;
  FolderTokenizer out;
  if (as_class) {
    auto spec = spec_of(model, read.own, shape);
    out.notices = std::move(spec.notices);
    out.tokenizer = make_bpe_tokenizer(std::move(spec));
  } else {
    out.tokenizer = make_sentencepiece(std::move(read.bytes), file.string());
    if (!as_library)
      out.notices.push_back(file.string() +
                            ": read by SentencePiece's own rule, with a space before each piece of "
                            "text; transformers "
                            "5 may put none there, as nothing says which class reads it");
    if (!known)
      out.notices.push_back(own.where + ": special tokens that " + file.filename().string() +
                            " lacks are passed over; give a tokenizer.json that has them");
  }
  out.notices.insert(out.notices.end(), own.notices.begin(), own.notices.end());
  return out;
}

/// What tokenizer.model says otherwise than the tokenizer.json that counts.
void compare(const fs::path& file, const BpeSpec& spec, Notices& notices) {
  SentencePieceModel model;
  try {
    model = check_sentencepiece(read_file(file), file.string());
  } catch (const DataError&) {
    return;  // tiktoken's files have the name as well
  }
  const auto other = [&](std::size_t i) {
    return i >= spec.tokens.size() || spec.tokens[i] != model.pieces[i].text;
  };
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    if (!other(i)) continue;
    notices.push_back(file.string() + " and tokenizer.json have other tokens (first id " +
                      std::to_string(i) + "): tokenizer.json counts, as in transformers");
    return;
  }
  if (spec.characters && spec.spaces_marked && spec.prefix != BpeSpec::Prefix::always)
    notices.push_back(
        file.string() + " puts a space before each piece of text, tokenizer.json " +
        (spec.prefix == BpeSpec::Prefix::first ? "before the first one alone" : "before none") +
        ": tokenizer.json counts, as in transformers");
}

}  // namespace

FolderTokenizer load_folder_tokenizer(const fs::path& folder) {
  const auto model = folder / "tokenizer.model", json = folder / "tokenizer.json";
  const bool both = fs::exists(json) && fs::exists(model);
  if (!fs::exists(json)) {
    if (fs::exists(model)) return of_model(model);
    throw DataError(folder.string() + ": want tokenizer.json or tokenizer.model, found neither");
  }
  try {
    BpeSpec spec = read_tokenizer_json(json);
    FolderTokenizer out;
    out.notices = std::move(spec.notices);
    if (both) compare(model, spec, out.notices);
    out.tokenizer = make_bpe_tokenizer(std::move(spec));
    return out;
  } catch (const DataError& error) {
    const std::string what = error.what();
    const auto said = what.starts_with("tokenizer: ") ? json.string() + ": " + what : what;
    if (!both) throw DataError(said);
    auto out = of_model(model);
    out.notices.push_back(said + "; tokenizer.model counts in its place");
    return out;
  }
}

TokenizerFiles files_of_sentencepiece(const fs::path& folder) {
  ModelFile read(folder / "tokenizer.model");
  if (read.as_class)
    return {.json = tokenizer_json_text(spec_of(read.model, read.own, read.shape)),
            .config = read.own.config_json};
  const auto spec = read.known ? library_spec(read.model) : std::nullopt;
  if (!spec) return {};
  // LlamaTokenizer would have steps of its own, which put no second space before text that begins
  // with one.
  read.own.add_defaults(read.shape);
  const auto where = (folder / "tokenizer_config.json").string();
  auto config = read.own.config_json.empty() ? nlohmann::json::object()
                                             : parse_json(read.own.config_json, where);
  config["tokenizer_class"] = "PreTrainedTokenizerFast";
  for (const char* key : {"legacy", "add_prefix_space", "sp_model_kwargs"}) config.erase(key);
  for (const auto& [key, text] : read.own.names)
    if (!text.empty() && !config.contains(key)) config[key] = text;
  return {.json = tokenizer_json_text(*spec), .config = config.dump(2) + "\n"};
}

}  // namespace seawall
