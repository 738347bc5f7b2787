// Source: transformers 5.23, PreTrainedTokenizerBase._from_pretrained and TokenizersBackend.
#include "seawall/text/folder_tokens.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/json.hpp"
#include "seawall/core/text.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;  // tokens are added in the order of the file

constexpr std::uint64_t max_token_file = std::uint64_t{256} << 20;
constexpr std::array<const char*, 7> named_tokens{
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

bool is_named(const std::string& key) {
  return std::ranges::find(named_tokens, key) != named_tokens.end();
}

/// An object of the folder; empty where the file is not there.
Json read_object(const fs::path& file, std::string* text = nullptr) {
  if (!fs::exists(file)) return Json::object();
  const auto bytes = read_file(file, max_token_file);
  parse_json(bytes, file.string());
  auto json = Json::parse(bytes);
  if (!json.is_object()) throw DataError(file.string() + ": want an object");
  if (text != nullptr) *text = bytes;
  return json;
}

/// A token's entry: its text, or an object with `content` and flags.
std::optional<FolderToken> token_of(const Json& value) {
  FolderToken token;
  if (value.is_string()) {
    token.text = value.get<std::string>();
    return token;
  }
  if (!value.is_object() || !value.contains("content") || !value["content"].is_string())
    return std::nullopt;
  const auto flag = [&](const char* key, bool fallback) {
    return value.contains(key) && value[key].is_boolean() ? value[key].get<bool>() : fallback;
  };
  token.text = value["content"].get<std::string>();
  token.special = flag("special", true);
  token.flags = {.lstrip = flag("lstrip", false),
                 .rstrip = flag("rstrip", false),
                 .single_word = flag("single_word", false),
                 .normalized = flag("normalized", !token.special)};
  return token;
}

/// Reads the files' fields into one set of names, lists and tokens.
class FolderTokenReader {
 public:
  explicit FolderTokenReader(const fs::path& folder) : folder_(folder) {
    own_.where = folder.string();
  }

  FolderTokens read() {
    const auto config_file = folder_ / "tokenizer_config.json";
    const auto config = read_object(config_file, &own_.config_json);
    const auto model = read_object(folder_ / "config.json");
    own_.model_type = text_in(model, "model_type");
    own_.config_class = text_in(config, "tokenizer_class");
    if (own_.config_class.empty()) own_.config_class = text_in(model, "tokenizer_class");
    if (own_.config_class.ends_with("Fast") && own_.config_class != "PreTrainedTokenizerFast")
      own_.config_class.resize(own_.config_class.size() - 4);
    own_.legacy = flag_in(config, "legacy");
    own_.prefix_space = flag_in(config, "add_prefix_space");
    where_ = config_file.string();
    const auto decoder = read_decoder(config);
    read_names(config, true);
    read_map(!decoder);
    if (!decoder) read_added();
    collect();
    return std::move(own_);
  }

 private:
  static std::string text_in(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
  }
  static std::optional<bool> flag_in(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_boolean()) return std::nullopt;
    return found->get<bool>();
  }
  [[noreturn]] void fail(const std::string& field, const char* want) const {
    throw DataError(where_ + ": " + field + ": want " + want);
  }

  /// added_tokens_decoder: true where it is there, and then counts alone.
  bool read_decoder(const Json& config) {
    if (!config.contains("added_tokens_decoder")) return false;
    const auto& table = config["added_tokens_decoder"];
    if (!table.is_object()) fail("added_tokens_decoder", "an object of tokens");
    for (const auto& [id, value] : table.items()) {
      auto token = token_of(value);
      if (!token || id.empty() || id.size() > 9 ||
          id.find_first_not_of("0123456789") != std::string::npos)
        fail("added_tokens_decoder", "ids with tokens that have a content");
      if (value.is_object() && !value.contains("special")) token->special = false;
      token->id = std::stoi(id);
      token->redefines = true;
      by_id_[*token->id] = *token;
    }
    return true;
  }

  void set_name(const std::string& key, const Json& value) {
    const auto at = std::ranges::find(own_.names, key, &std::pair<std::string, std::string>::first);
    FolderToken token;
    if (!value.is_null()) {
      const auto read = token_of(value);
      if (!read) fail(key, "a text, or an object with a content");
      token = *read;
      token.special = true;
    }
    if (at == own_.names.end())
      own_.names.emplace_back(key, token.text);
    else
      at->second = token.text;
    flagged_[token.text] = token;
  }

  /// The fields that name tokens. `config`: of tokenizer_config.json.
  void read_names(const Json& object, bool config) {
    for (const auto& [key, value] : object.items()) {
      if (is_named(key)) {
        set_name(key, value);
      } else if (key == "extra_special_tokens" || key == "additional_special_tokens") {
        read_list(key, value);
      } else if (config && key.ends_with("_token") && token_of(value)) {
        (value.is_string() ? dictionary_ : detected_).push_back(*token_of(value));
      }
    }
  }

  void read_list(const std::string& key, const Json& value) {
    if (value.is_null()) return;
    if (!value.is_array() && !value.is_object())
      fail(key, "a list of tokens, or an object of them");
    const bool extra = key == "extra_special_tokens";
    has_extra_ |= extra && !value.empty();
    for (const auto& each : value) {
      const auto token = token_of(each);
      if (!token) fail(key, "texts, or objects with a content");
      (!extra ? additional_ : value.is_object() ? dictionary_ : list_).push_back(*token);
    }
  }

  /// special_tokens_map.json counts where tokenizer_config.json has no added_tokens_decoder.
  void read_map(bool counts) {
    const auto file = folder_ / "special_tokens_map.json";
    const auto map = read_object(file);
    for (const auto& key : named_tokens) {
      if (!map.contains(key) || !token_of(map[key])) continue;
      const auto before = own_.name(key).value_or("");
      const auto now = token_of(map[key])->text;
      if (before.empty() || before == now) continue;
      own_.notices.push_back(
          file.string() + " names " + key + " '" + shown(now) + "', tokenizer_config.json '" +
          shown(before) + "': " + (counts ? "special_tokens_map.json" : "tokenizer_config.json") +
          " counts, as in transformers");
    }
    if (!counts) return;
    where_ = file.string();
    read_names(map, false);
  }

  void read_added() {
    const auto file = folder_ / "added_tokens.json";
    const auto map = read_object(file);
    where_ = file.string();
    for (const auto& [text, id] : map.items()) {
      if (!id.is_number_unsigned() || id.get<std::uint64_t>() > INT32_MAX)
        fail(shown(text), "a token id");
      const auto is = [&text = text](const FolderToken& token) { return token.text == text; };
      const bool special = flagged_.contains(text) || std::ranges::any_of(list_, is) ||
                           std::ranges::any_of(additional_, is);
      by_id_[id.get<std::int32_t>()] = {.text = text,
                                        .special = special,
                                        .flags = {.normalized = !special},
                                        .id = id.get<std::int32_t>()};
    }
  }

  void collect() {
    auto& all = own_.tokens;
    if (!has_extra_) {
      list_.insert(list_.end(), additional_.begin(), additional_.end());
    } else if (!additional_.empty()) {
      own_.notices.push_back(own_.where +
                             ": additional_special_tokens is passed over, as in transformers, "
                             "because extra_special_tokens is there as well");
    }
    for (const auto& [id, token] : by_id_) all.push_back(token);
    for (const auto* key : named_tokens)
      if (const auto text = own_.name(key); text && !text->empty()) all.push_back(flagged_[*text]);
    for (const auto* tokens : {&detected_, &dictionary_, &list_})
      all.insert(all.end(), tokens->begin(), tokens->end());
  }

  fs::path folder_;
  std::string where_;
  FolderTokens own_;
  std::map<std::int32_t, FolderToken> by_id_;
  std::map<std::string, FolderToken> flagged_;
  std::vector<FolderToken> detected_, dictionary_, list_, additional_;
  bool has_extra_ = false;
};

}  // namespace

std::optional<std::string> FolderTokens::name(const std::string& key) const {
  const auto at = std::ranges::find(names, key, &std::pair<std::string, std::string>::first);
  return at == names.end() ? std::nullopt : std::optional(at->second);
}

TokenizerShape FolderTokens::shape(bool byte_level) const {
  // Whatever class a Qwen2 folder names, its own is built.
  if (model_type == "qwen2") return TokenizerShape::qwen2;
  if (model_type == "mistral" || model_type == "phi3") return TokenizerShape::as_given;
  if (config_class == "LlamaTokenizer" && !byte_level) return TokenizerShape::llama;
  if (config_class == "GemmaTokenizer" ||
      (config_class.empty() && (model_type == "gemma" || model_type == "gemma2")))
    return TokenizerShape::gemma;
  return TokenizerShape::as_given;
}

void FolderTokens::add_defaults(TokenizerShape shape) {
  using Defaults = std::vector<std::pair<const char*, const char*>>;
  Defaults defaults;
  if (shape == TokenizerShape::llama)
    defaults = {{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}};
  if (shape == TokenizerShape::gemma)
    defaults = {{"bos_token", "<bos>"},
                {"eos_token", "<eos>"},
                {"unk_token", "<unk>"},
                {"pad_token", "<pad>"},
                {"mask_token", "<mask>"}};
  if (shape == TokenizerShape::qwen2)
    defaults = {{"eos_token", "<|endoftext|>"},
                {"unk_token", "<|endoftext|>"},
                {"pad_token", "<|endoftext|>"}};
  for (const auto& [key, text] : defaults) {
    if (name(key)) continue;
    names.emplace_back(key, text);
    tokens.push_back({.text = text});
  }
}

FolderTokens read_folder_tokens(const fs::path& folder) { return FolderTokenReader(folder).read(); }

BpeSpec steps_of_class(const FolderTokens& own, TokenizerShape shape) {
  BpeSpec spec;
  spec.pre_tokenizer = "none";
  if (shape == TokenizerShape::qwen2) {
    spec.pre_tokenizer = "qwen2";
    spec.prefix_space = own.prefix_space.value_or(false);
    spec.normalizer.push_back({.kind = NormalStep::Kind::nfc});
    return spec;
  }
  spec.characters = spec.byte_fallback = spec.fuse_unk = true;
  if (shape == TokenizerShape::gemma) {
    spec.normalizer.push_back({.kind = NormalStep::Kind::replace, .what = " ", .by = "\u2581"});
    return spec;
  }
  const bool prefix = own.prefix_space.value_or(true);
  using Prefix = BpeSpec::Prefix;
  spec.prefix = !prefix                      ? Prefix::never
                : own.legacy.value_or(false) ? Prefix::always
                                             : Prefix::first;
  spec.spaces_marked = true;
  spec.strip_first = prefix;
  return spec;
}

namespace {

AddedFlags flags_in(const FolderToken& token, const BpeSpec& spec) {
  auto flags = token.flags;
  flags.normalized = flags.normalized && !token.special && !spec.normalizer.empty();
  return flags;
}

/// Gives a token that the tokenizer has already the flags of added_tokens_decoder.
void redefine(const FolderTokens& own, const FolderToken& token, std::int32_t id, BpeSpec& spec) {
  const auto flags = flags_in(token, spec);
  const bool special = std::ranges::count(spec.special_ids, id) > 0;
  const auto before = spec.flags.find(id);
  if (flags == (before == spec.flags.end() ? AddedFlags{} : before->second) &&
      special == token.special)
    return;
  spec.flags[id] = flags;
  if (special != token.special) {
    std::erase(special ? spec.special_ids : spec.added_ids, id);
    (token.special ? spec.special_ids : spec.added_ids).push_back(id);
  }
  spec.notices.push_back(own.where + "/tokenizer_config.json matches token '" + shown(token.text) +
                         "' otherwise (spaces around it, or special) than the tokenizer: "
                         "tokenizer_config.json counts, as in transformers");
}

}  // namespace

void add_folder_tokens(const FolderTokens& own, std::size_t vocabulary, BpeSpec& spec) {
  std::unordered_map<std::string, std::int32_t> ids, added;
  for (std::size_t i = 0; i < spec.tokens.size(); ++i)
    if (!spec.tokens[i].empty()) ids.emplace(spec.tokens[i], static_cast<std::int32_t>(i));
  auto next = static_cast<std::int32_t>(vocabulary);
  for (const auto* list : {&spec.special_ids, &spec.added_ids})
    for (const auto id : *list) {
      added.emplace(spec.tokens[static_cast<std::size_t>(id)], id);
      next = std::max(next, id + 1);
    }
  for (const auto& token : own.tokens) {
    if (const auto known = added.find(token.text); known != added.end()) {
      if (token.redefines) redefine(own, token, known->second, spec);
      continue;
    }
    if (token.text.empty()) continue;
    const auto [at, fresh] = ids.emplace(token.text, next);
    const auto id = at->second;
    if (fresh) {
      ++next;
      spec.tokens.resize(std::max(spec.tokens.size(), static_cast<std::size_t>(id) + 1));
      spec.tokens[static_cast<std::size_t>(id)] = token.text;
    }
    added.emplace(token.text, id);
    if (const auto flags = flags_in(token, spec); flags != AddedFlags{}) spec.flags[id] = flags;
    (token.special ? spec.special_ids : spec.added_ids).push_back(id);
    if (token.id && *token.id != id)
      spec.notices.push_back(own.where + ": token '" + shown(token.text) + "' has id " +
                             std::to_string(*token.id) +
                             " in the files next to the tokenizer, but " + std::to_string(id) +
                             " in the tokenizer, which counts, as in "
                             "transformers");
  }
  const auto end = [&](const char* key, std::optional<std::int32_t>& id) {
    const auto name = own.name(key);
    if (name && !name->empty()) id = ids.at(*name);
  };
  end("bos_token", spec.bos);
  end("eos_token", spec.eos);
}

}  // namespace seawall
