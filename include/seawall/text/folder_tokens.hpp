#pragma once
// What the files next to a tokenizer say of it: tokenizer_config.json, special_tokens_map.json,
// added_tokens.json and the model type of config.json, read as transformers 5 reads them.
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "seawall/core/notices.hpp"
#include "seawall/text/tokenizer.hpp"

namespace seawall {

/// Which steps a tokenizer has: its own, or those that a class of transformers builds in their
/// place from the vocabulary, the merges and the flags of tokenizer_config.json.
enum class TokenizerShape { as_given, llama, qwen2, gemma };

/// A token that a folder names.
struct FolderToken {
  std::string text;
  bool special = true;
  AddedFlags flags{};
  std::optional<std::int32_t> id{};  // as the file has it; transformers counts on instead
  bool redefines = false;            // of added_tokens_decoder: counts over the tokenizer's own
};

struct FolderTokens {
  std::string where;         // the folder, in notices
  std::string config_json;   // tokenizer_config.json as it came; empty: there is none
  std::string config_class;  // tokenizer_class without `Fast`
  std::string model_type;    // of config.json; empty: there is none
  std::optional<bool> legacy, prefix_space;
  std::vector<std::pair<std::string, std::string>> names;  // bos_token: <s>, ...; empty: null
  std::vector<FolderToken> tokens;  // in the order in which transformers adds them
  Notices notices;

  /// The name of a special token; nullopt where no file has the field.
  std::optional<std::string> name(const std::string& key) const;
  /// Source: transformers 5.23, AutoTokenizer.from_pretrained, for the families that run here.
  TokenizerShape shape(bool byte_level) const;
  /// The names with those that the class of `shape` has by default, and their tokens.
  void add_defaults(TokenizerShape shape);
};

/// Errors: DataError naming the file and field; IoError.
FolderTokens read_folder_tokens(const std::filesystem::path& folder);

/// Adds the folder's tokens to a tokenizer that was read: one that the vocabulary has becomes a
/// token that is matched whole, others get the next ids. `vocabulary`: tokens of the model itself.
/// Sets bos and eos by the folder's names.
void add_folder_tokens(const FolderTokens& own, std::size_t vocabulary, BpeSpec& spec);

/// The steps before and after the model, and nothing else, as a class of transformers builds them.
/// Source: transformers 5.23, LlamaTokenizer, GemmaTokenizer and Qwen2Tokenizer.
BpeSpec steps_of_class(const FolderTokens& own, TokenizerShape shape);

}  // namespace seawall
