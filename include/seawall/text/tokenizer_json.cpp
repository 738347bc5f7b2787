#include "seawall/text/tokenizer_json.hpp"

#include <algorithm>

#include "seawall/core/file.hpp"
#include "seawall/core/json.hpp"
#include "seawall/text/normalizer.hpp"
#include "seawall/text/tokenizer_json_node.hpp"

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
  if (spec.characters) {
    spec.byte_fallback = flag("byte_fallback");
    spec.fuse_unk = flag("fuse_unk");
  } else {
    model.want_off("byte_fallback");
  }
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
  if (spec.characters && model.has("unk_token")) {
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

/// bos_token and eos_token are a text, or an object with `content`.
std::optional<std::int32_t> read_end(const Node& config, const char* key, const BpeSpec& spec) {
  if (!config.has(key)) return std::nullopt;
  const auto node = config.at(key);
  const auto& name = node.value().is_object() ? node.at("content").text() : node.text();
  const auto found = std::ranges::find(spec.tokens, name);
  if (found == spec.tokens.end()) node.fail("token '" + shown(name) + "' is not in tokenizer.json");
  return static_cast<std::int32_t>(found - spec.tokens.begin());
}

}  // namespace

BpeSpec read_tokenizer_json(const std::filesystem::path& file) {
  const auto where = file.string();
  BpeSpec spec;
  spec.json = read_file(file, max_json_bytes);
  const auto document = parse_json(spec.json, where);
  const Node top(document, "", where);
  // The decoder tells which of the two kinds this is.
  read_decoder(top, spec);
  read_normalizer(top, spec);
  read_pre_tokenizer(top, spec);
  read_model(top.at("model"), spec);
  read_added(top, spec);
  const auto config_file = file.parent_path() / "tokenizer_config.json";
  if (std::filesystem::exists(config_file)) {
    const auto config_where = config_file.string();
    spec.config_json = read_file(config_file, max_json_bytes);
    const auto config = parse_json(spec.config_json, config_where);
    const Node node(config, "", config_where);
    spec.bos = read_end(node, "bos_token", spec);
    spec.eos = read_end(node, "eos_token", spec);
  }
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
