#include "pretrained/bundle_template.hpp"

#include <nlohmann/json.hpp>

#include "pretrained/model_files.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/json.hpp"
#include "seawall/text/chat_system.hpp"
#include "seawall/text/folder_tokens.hpp"

namespace seawall {
namespace fs = std::filesystem;
namespace {

/// The template in tokenizer_config.json: a text, or a list of {name, template}.
std::string source_in(const nlohmann::json& config, const std::string& where) {
  const auto found = config.find("chat_template");
  if (found == config.end() || found->is_null()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (found->is_array()) {
    for (const auto& each : *found) {
      if (each.is_object() && each.value("name", "") == "default" && each.contains("template") &&
          each["template"].is_string())
        return each["template"].get<std::string>();
    }
  }
  throw DataError(where + ": chat_template: want a text, or a list with one named `default`");
}

/// The family that the control tokens tell, for files without a template.
std::string guess(const Tokenizer& tokenizer, const std::string& model) {
  if (tokenizer.id_of("<|im_start|>")) return "chatml";
  if (tokenizer.id_of("<|start_header_id|>")) return "llama3";
  if (tokenizer.id_of("<|assistant|>")) return "organism";
  throw UsageError(model + ": its files hold no chat template; name one with --template");
}

SpecialNames merged(const SpecialNames& own, const Tokenizer& tokenizer) {
  auto names = special_names(tokenizer);
  for (const auto field :
       {&SpecialNames::bos, &SpecialNames::eos, &SpecialNames::unk, &SpecialNames::pad}) {
    if (!(own.*field).empty()) names.*field = own.*field;
  }
  return names;
}

bool is_file(const std::string& word) {
  std::error_code error;
  return word.ends_with(".jinja") || fs::is_regular_file(word, error);
}

}  // namespace

OwnTemplate template_of_folder(const fs::path& folder) {
  OwnTemplate own;
  if (fs::exists(folder / template_file)) own.name = read_file(folder / template_file);
  const fs::path config_file = folder / "tokenizer_config.json", file = folder / jinja_file;
  if (fs::exists(config_file)) {
    const auto config = parse_json(read_file(config_file), config_file.string());
    if (!config.is_object()) throw DataError(config_file.string() + ": want an object");
    own.where = config_file.string() + ": chat_template";
    own.source = source_in(config, config_file.string());
  }
  if (fs::exists(file)) {
    auto text = read_file(file);
    if (!own.source.empty() && own.source != text)
      own.notices.push_back(file.string() +
                            " and tokenizer_config.json have different chat templates: the former "
                            "counts, as in transformers");
    own.source = std::move(text);
    own.where = file.string();
  }
  const auto named = read_folder_tokens(folder);
  const auto name = [&](const char* key) { return named.name(key).value_or(""); };
  own.specials = {.bos = name("bos_token"),
                  .eos = name("eos_token"),
                  .unk = name("unk_token"),
                  .pad = name("pad_token")};
  return own;
}

std::unique_ptr<ChatTemplate> choose_template(const std::string& word, const OwnTemplate& own,
                                              const Tokenizer& tokenizer,
                                              const std::string& model) {
  if (word != "auto") {
    if (!is_file(word)) return make_chat_template(word);
    return with_system_turn(
        make_jinja_template(read_file(word), word, merged(own.specials, tokenizer)));
  }
  if (!own.name.empty() && own.name != jinja_name) return make_chat_template(own.name);
  if (own.source.empty()) {
    if (own.name == jinja_name)
      throw DataError(model + ": " + template_file + " says jinja, and " + jinja_file +
                      " is not next to it");
    return make_chat_template(guess(tokenizer, model));
  }
  try {
    return with_system_turn(
        make_jinja_template(own.source, own.where, merged(own.specials, tokenizer)));
  } catch (const DataError& error) {
    throw DataError(std::string(error.what()) + "; name another template with --template");
  }
}

}  // namespace seawall
