#include "seawall/text/tokenizer_json.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/json.hpp"
#include "seawall/core/text.hpp"
#include "seawall/text/pre_tokenizer.hpp"

namespace seawall {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::uint64_t max_file = std::uint64_t{256} << 20;
constexpr std::size_t max_vocabulary = std::size_t{1} << 21;

// The splitting expressions of published tokenizer.json files, with the name that llama.cpp gives
// them.
struct KnownPattern {
  std::string_view name, expression;
};
// clang-format off
constexpr std::array<KnownPattern, 3> known_patterns{{
    {"gpt-2", R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"},
    {"llama-bpe", R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
                  R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {"qwen2", R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
              R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
}};
// clang-format on

/// A value with the path of keys that leads to it, for errors.
class Node {
 public:
  Node(const json& value, std::string path, const std::string& where)
      : value_(value), path_(std::move(path)), where_(where) {}

  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(where_ + ": " + (path_.empty() ? "top" : path_) + ": " + what);
  }
  bool null() const { return value_.is_null(); }
  bool has(const char* key) const {
    return value_.is_object() && value_.contains(key) && !value_[key].is_null();
  }
  Node at(const char* key) const {
    if (!value_.is_object()) fail("want an object");
    const auto found = value_.find(key);
    if (found == value_.end()) fail("field '" + std::string(key) + "' is missing");
    return {*found, path_.empty() ? key : path_ + "." + key, where_};
  }
  Node child(const json& value, const std::string& name) const {
    return {value, path_ + "['" + shown(name) + "']", where_};
  }
  std::vector<Node> items() const {
    if (!value_.is_array()) fail("want an array");
    std::vector<Node> nodes;
    for (std::size_t i = 0; i < value_.size(); ++i) {
      nodes.push_back({value_[i], path_ + "[" + std::to_string(i) + "]", where_});
    }
    return nodes;
  }
  const std::string& text() const {
    if (!value_.is_string()) fail("want a text");
    return value_.get_ref<const std::string&>();
  }
  std::int32_t id() const {
    if (!value_.is_number_unsigned() || value_.get<std::uint64_t>() >= max_vocabulary) {
      fail("want a token id, 0 to 2097151");
    }
    return value_.get<std::int32_t>();
  }
  bool flag() const {
    if (!value_.is_boolean()) fail("want true or false");
    return value_.get<bool>();
  }
  /// Errors where the field is there and is neither null, nor false, nor an empty text.
  void want_off(const char* key) const {
    if (!has(key)) return;
    const auto& value = value_[key];
    if (value == false || value == "" || (value.is_array() && value.empty())) return;
    at(key).fail("is set, which is not supported");
  }
  void want_text(const char* key, std::string_view wanted) const {
    if (at(key).text() != wanted) {
      at(key).fail("is '" + shown(at(key).text()) + "', want '" + std::string(wanted) + "'");
    }
  }
  const json& value() const { return value_; }

 private:
  const json& value_;
  std::string path_;
  const std::string& where_;
};

std::string pattern_name(const Node& split) {
  split.want_text("behavior", "Isolated");
  split.want_off("invert");
  const auto& expression = split.at("pattern").at("Regex").text();
  for (const auto& known : known_patterns) {
    if (expression == known.expression) return std::string(known.name);
  }
  split.at("pattern").fail("the expression is none of those of gpt-2, llama-bpe and qwen2");
}

/// The name of the pattern that a pre_tokenizer comes to.
std::string read_pre_tokenizer(const Node& node) {
  std::vector<Node> steps{node};
  if (node.at("type").text() == "Sequence") steps = node.at("pretokenizers").items();
  std::string pattern;
  bool digits = false, byte_level = false;
  for (const auto& step : steps) {
    const auto& type = step.at("type").text();
    if (byte_level) step.fail("a step after ByteLevel is not supported");
    if (type == "Digits" && pattern.empty()) {
      if (!step.at("individual_digits").flag()) step.fail("want individual_digits true");
      digits = true;
    } else if (type == "Split" && pattern.empty()) {
      pattern = pattern_name(step);
    } else if (type == "ByteLevel") {
      step.want_off("add_prefix_space");
      byte_level = true;
      const bool splits = !step.has("use_regex") || step.at("use_regex").flag();
      if (splits != pattern.empty())
        step.fail("want one splitting pattern: a Split step or use_regex");
      if (splits) pattern = "gpt-2";
    } else {
      step.fail("step '" + shown(type) +
                "' is not supported here, want Digits, Split or ByteLevel");
    }
  }
  if (!byte_level) node.fail("want a ByteLevel step");
  if (!digits) return pattern;
  if (pattern != "gpt-2") node.fail("Digits are supported with the gpt-2 pattern only");
  return "smollm";
}

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
  for (const auto* key :
       {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"}) {
    model.want_off(key);
  }
  spec.ignore_merges = model.has("ignore_merges") && model.at("ignore_merges").flag();
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
    spec.merges.push_back(pair[0].text() + " " + pair[1].text());
  }
}

void read_added(const Node& top, BpeSpec& spec) {
  if (!top.has("added_tokens")) return;
  for (const auto& added : top.at("added_tokens").items()) {
    for (const auto* key : {"single_word", "lstrip", "rstrip"}) added.want_off(key);
    const auto id = added.at("id").id();
    place(spec, added.at("content").text(), id, added);
    const bool special = added.has("special") && added.at("special").flag();
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

ordered_json pre_tokenizer_json(const std::string& name) {
  const auto byte_level = [](bool use_regex) {
    return ordered_json{{"type", "ByteLevel"},
                        {"add_prefix_space", false},
                        {"trim_offsets", true},
                        {"use_regex", use_regex}};
  };
  const auto pre = PreTokenizer::named(name);
  if (!pre || pre->pattern == PreTokenizer::Pattern::gpt2) {
    if (!pre || !pre->single_digits) return byte_level(true);
    const ordered_json digits = {{"type", "Digits"}, {"individual_digits", true}};
    return {{"type", "Sequence"},
            {"pretokenizers", ordered_json::array({digits, byte_level(true)})}};
  }
  const auto& known = known_patterns[pre->digits_together == 1 ? 2 : 1];
  const ordered_json split = {{"type", "Split"},
                              {"pattern", {{"Regex", known.expression}}},
                              {"behavior", "Isolated"},
                              {"invert", false}};
  return {{"type", "Sequence"}, {"pretokenizers", ordered_json::array({split, byte_level(false)})}};
}

ordered_json added_tokens_json(const BpeSpec& spec) {
  std::vector<std::pair<std::int32_t, bool>> ids;
  for (const auto id : spec.special_ids) ids.emplace_back(id, true);
  for (const auto id : spec.added_ids) ids.emplace_back(id, false);
  std::ranges::sort(ids);
  auto added = ordered_json::array();
  for (const auto& [id, special] : ids) {
    added.push_back({{"id", id},
                     {"content", spec.tokens[static_cast<std::size_t>(id)]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", special}});
  }
  return added;
}

}  // namespace

BpeSpec read_tokenizer_json(const std::filesystem::path& file) {
  const auto where = file.string();
  const auto document = parse_json(read_file(file, max_file), where);
  const Node top(document, "", where);
  BpeSpec spec;
  if (top.has("normalizer")) top.at("normalizer").fail("is set, want none");
  read_model(top.at("model"), spec);
  read_added(top, spec);
  spec.pre_tokenizer = read_pre_tokenizer(top.at("pre_tokenizer"));
  top.at("decoder").want_text("type", "ByteLevel");
  const auto config_file = file.parent_path() / "tokenizer_config.json";
  if (std::filesystem::exists(config_file)) {
    const auto config_where = config_file.string();
    const auto config = parse_json(read_file(config_file, max_file), config_where);
    const Node node(config, "", config_where);
    spec.bos = read_end(node, "bos_token", spec);
    spec.eos = read_end(node, "eos_token", spec);
  }
  return spec;
}

void write_tokenizer_json(const std::filesystem::path& folder, const BpeSpec& spec) {
  json vocabulary = json::object();  // sorted by name: ordered_json is a list, slow at this size
  for (std::size_t i = 0; i < spec.tokens.size(); ++i) {
    if (!spec.tokens[i].empty()) vocabulary[spec.tokens[i]] = i;
  }
  const ordered_json byte_level = {{"type", "ByteLevel"},
                                   {"add_prefix_space", false},
                                   {"trim_offsets", true},
                                   {"use_regex", true}};
  const ordered_json document = {{"version", "1.0"},
                                 {"truncation", nullptr},
                                 {"padding", nullptr},
                                 {"added_tokens", added_tokens_json(spec)},
                                 {"normalizer", nullptr},
                                 {"pre_tokenizer", pre_tokenizer_json(spec.pre_tokenizer)},
                                 {"post_processor", nullptr},
                                 {"decoder", byte_level},
                                 {"model",
                                  {{"type", "BPE"},
                                   {"dropout", nullptr},
                                   {"unk_token", nullptr},
                                   {"continuing_subword_prefix", nullptr},
                                   {"end_of_word_suffix", nullptr},
                                   {"fuse_unk", false},
                                   {"byte_fallback", false},
                                   {"ignore_merges", spec.ignore_merges},
                                   {"vocab", vocabulary},
                                   {"merges", spec.merges}}}};
  write_file_atomically(folder / "tokenizer.json", document.dump(1) + "\n");
  ordered_json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                         {"clean_up_tokenization_spaces", false}};
  if (spec.bos) config["bos_token"] = spec.tokens[static_cast<std::size_t>(*spec.bos)];
  if (spec.eos) config["eos_token"] = spec.tokens[static_cast<std::size_t>(*spec.eos)];
  if (spec.eos) config["pad_token"] = spec.tokens[static_cast<std::size_t>(*spec.eos)];
  write_file_atomically(folder / "tokenizer_config.json", config.dump(2) + "\n");
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
