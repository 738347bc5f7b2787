#include "text/tokenizer_json.hpp"

#include <algorithm>

#include "seawall/core/file.hpp"
#include "seawall/core/json.hpp"
#include "seawall/text/folder_tokens.hpp"
#include "text/normalizer.hpp"
#include "text/tokenizer_json_node.hpp"

namespace seawall {
namespace {

using tokenizer_json::Node;

constexpr std::uint64_t max_json_bytes = std::uint64_t{256} << 20;

void place(BpeSpec& spec, const std::string& token, std::int32_t id, const Node& node) {
  const auto at = static_cast<std::size_t>(id);
  if (at >= spec.tokens.size()) spec.tokens.resize(at + 1);
  if (!spec.tokens[at].empty() && spec.tokens[at] != token) {
    node.fail("id " + std::to_string(id) + " is given to two tokens");
  }
  spec.tokens[at] = token;
}

void read_model(const Node& model, BpeSpec& spec) {
  if (model.has("type")) model.want_text("type", "BPE");
  for (const auto* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"})
    model.want_off(key);
  const auto flag = [&](const char* key) { return model.has(key) && model.at(key).flag(); };
  spec.ignore_merges = flag("ignore_merges");
  spec.fuse_unk = flag("fuse_unk");
  if (spec.characters)
    spec.byte_fallback = flag("byte_fallback");
  else
    model.want_off("byte_fallback");
  const auto vocabulary = model.at("vocab");
  if (!vocabulary.value().is_object()) vocabulary.fail("want an object of token ids");
  for (const auto& [token, id] : vocabulary.value().items()) {
    place(spec, token, vocabulary.child(id, token).id(), vocabulary);
  }
  for (const auto& merge : model.at("merges").items()) {
    if (merge.value().is_string()) {
      spec.merges.push_back(merge.text());
      continue;
    }
    const auto pair = merge.items();
    if (pair.size() != 2) merge.fail("want two tokens");
    for (const auto& part : pair) {
      if (part.text().find(' ') != std::string::npos) part.fail("want a token without a space");
    }
    spec.merges.push_back(pair[0].text() + " " + pair[1].text());
  }
  if (model.has("unk_token")) {
    const auto& name = model.at("unk_token").text();
    const auto found = std::ranges::find(spec.tokens, name);
    if (found == spec.tokens.end()) model.at("unk_token").fail("is not in the vocabulary");
    spec.unk = static_cast<std::int32_t>(found - spec.tokens.begin());
  }
}

void read_added(const Node& top, BpeSpec& spec) {
  if (!top.has("added_tokens")) return;
  for (const auto& added : top.at("added_tokens").items()) {
    const auto flag = [&](const char* key) { return added.has(key) && added.at(key).flag(); };
    const auto id = added.at("id").id();
    place(spec, added.at("content").text(), id, added);
    const bool special = flag("special");
    AddedFlags flags{.lstrip = flag("lstrip"),
                     .rstrip = flag("rstrip"),
                     .single_word = flag("single_word"),
                     .normalized = flag("normalized") && !spec.normalizer.empty()};
    // A control token is looked for in the text as it is; that is the same where normalization
    // leaves it alone.
    if (special && flags.normalized) {
      const auto& name = added.at("content").text();
      if (normalized(name, spec.normalizer) != name)
        added.at("normalized").fail("is true, and the normalizer changes this control token");
      flags.normalized = false;
    }
    if (flags != AddedFlags{}) spec.flags[id] = flags;
    (special ? spec.special_ids : spec.added_ids).push_back(id);
  }
}

/// Which character of a word U+2581 goes before, whichever step puts it there.
std::string prefix_text(const BpeSpec& spec) {
  const bool prepends = std::ranges::any_of(
      spec.normalizer, [](const auto& step) { return step.kind == NormalStep::Kind::prepend; });
  if (prepends || spec.prefix == BpeSpec::Prefix::always) return "always";
  return spec.prefix == BpeSpec::Prefix::first ? "first" : "never";
}

bool composes(const BpeSpec& spec) {
  return std::ranges::any_of(spec.normalizer,
                             [](const auto& step) { return step.kind == NormalStep::Kind::nfc; });
}

void read_own_steps(const Node& top, BpeSpec& spec) {
  // The decoder tells which of the two kinds this is.
  read_decoder(top, spec);
  read_normalizer(top, spec);
  read_pre_tokenizer(top, spec);
}

/// What tokenizer.json says of the steps and what the class of tokenizer_config.json says.
void note_other_steps(const Node& top, const FolderTokens& own, BpeSpec& spec) {
  BpeSpec given;
  try {
    read_own_steps(top, given);
  } catch (const DataError&) {
    spec.notices.push_back(own.where + ": tokenizer.json has other steps than " + own.model_type +
                           "'s tokenizer class, which counts, as in transformers 5");
    return;
  }
  if (spec.characters && prefix_text(given) != prefix_text(spec))
    spec.notices.push_back(
        own.where + ": a space goes before " + prefix_text(given) + " (of always, first, never) " +
        "piece of text by tokenizer.json, " + prefix_text(spec) + " by " + own.config_class +
        " with legacy and add_prefix_space of tokenizer_config.json: the latter counts, as in "
        "transformers 5");
  if (!spec.characters && (given.pre_tokenizer != spec.pre_tokenizer || !composes(given)))
    spec.notices.push_back(own.where +
                           ": tokenizer.json splits otherwise than Qwen2Tokenizer, the class of "
                           "model_type qwen2, which counts, as in transformers 5");
}

/// GPT2Tokenizer of transformers 5 drops steps that models were trained with: those are kept here.
void note_dropped_steps(const FolderTokens& own, BpeSpec& spec) {
  if (own.config_class != "GPT2Tokenizer" || spec.characters) return;
  const bool prefix = own.prefix_space.value_or(false);
  if (spec.pre_tokenizer == "gpt-2" && spec.normalizer.empty() && spec.prefix_space == prefix)
    return;
  spec.notices.push_back(own.where +
                         ": tokenizer.json counts with all its steps; transformers 5 keeps of them "
                         "what its class GPT2Tokenizer has, and splits text otherwise");
}

bool is_byte_level(const Node& top) {
  const auto& value = top.value();
  const auto found = value.find("decoder");
  return found != value.end() && found->dump().find("\"ByteLevel\"") != std::string::npos;
}

}  // namespace

BpeSpec read_tokenizer_json(const std::filesystem::path& file) {
  const auto where = file.string();
  BpeSpec spec;
  spec.json = read_file(file, max_json_bytes);
  const auto document = parse_json(spec.json, where);
  const Node top(document, "", where);
  auto own = read_folder_tokens(file.parent_path());
  const auto shape = own.shape(is_byte_level(top));
  if (shape == TokenizerShape::as_given) {
    read_own_steps(top, spec);
    note_dropped_steps(own, spec);
  } else {
    auto json = std::move(spec.json);
    spec = steps_of_class(own, shape);
    spec.json = std::move(json);
    note_other_steps(top, own, spec);
  }
  const auto model = top.at("model");
  read_model(model, spec);
  if (shape == TokenizerShape::llama || shape == TokenizerShape::gemma)
    spec.byte_fallback = spec.fuse_unk = true;
  read_added(top, spec);
  own.add_defaults(shape);
  add_folder_tokens(own, model.at("vocab").value().size(), spec);
  spec.notices.insert(spec.notices.end(), own.notices.begin(), own.notices.end());
  spec.config_json = own.config_json;
  read_post_processor(top, spec);
  return spec;
}

std::unique_ptr<Tokenizer> load_tokenizer_json(const std::filesystem::path& file) {
  try {
    return make_bpe_tokenizer(read_tokenizer_json(file));
  } catch (const DataError& error) {
    const std::string what = error.what();
    throw DataError(what.starts_with("tokenizer: ") ? file.string() + ": " + what : what);
  }
}

}  // namespace seawall
