#pragma once
// Which chat template a model speaks: its own, a named one, or a file of the user's.
#include <filesystem>
#include <memory>
#include <string>

#include "seawall/text/chat_template.hpp"

namespace seawall {

/// The text of a Jinja template beside the weights of checkpoints and exports, as transformers
/// names it.
inline constexpr const char* jinja_file = "chat_template.jinja";

/// What a model's files say about its chat template.
struct OwnTemplate {
  std::string name;       // of a checkpoint or export of ours; empty elsewhere
  std::string source;     // Jinja, byte for byte; empty where there is none
  std::string where;      // where it stands, for errors
  SpecialNames specials;  // what the folder's files call them; empty: as the tokenizer does
  Notices notices;        // where files disagree
};

/// Reads chat_template.txt, chat_template.jinja or tokenizer_config.json's `chat_template` (a text,
/// or a list of named ones, of which `default` is taken). Errors: DataError, IoError naming the
/// file and field.
OwnTemplate template_of_folder(const std::filesystem::path& folder);

/// `word` is `auto`, a name or a path of a .jinja file. `auto` takes the name in the files, then
/// their Jinja text, then guesses by the control tokens. `model` is how the user named the model.
/// Errors: UsageError for an unknown name, or where nothing tells the template; DataError for a
/// template that is not supported.
std::unique_ptr<ChatTemplate> choose_template(const std::string& word, const OwnTemplate& own,
                                              const Tokenizer& tokenizer, const std::string& model);

}  // namespace seawall
