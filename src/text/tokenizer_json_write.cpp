// Writes a tokenizer that came from elsewhere (GGUF, SentencePiece) as tokenizer.json.
#include <algorithm>

#include "seawall/core/file.hpp"
#include "text/pre_tokenizer.hpp"
#include "text/tokenizer_json.hpp"
#include "text/tokenizer_json_node.hpp"

namespace seawall {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using tokenizer_json::known_patterns;

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

/// Null, the one step, or a Sequence of them. `key`: where a Sequence keeps them.
ordered_json sequence_of(const std::vector<ordered_json>& steps, const char* key) {
  if (steps.empty()) return nullptr;
  if (steps.size() == 1) return steps.front();
  return {{"type", "Sequence"}, {key, steps}};
}

ordered_json replace_json(const std::string& what, const std::string& by) {
  return {{"type", "Replace"}, {"pattern", {{"String", what}}}, {"content", by}};
}

ordered_json normalizer_json(const BpeSpec& spec) {
  std::vector<ordered_json> steps;
  for (const auto& step : spec.normalizer) {
    if (step.kind == NormalStep::Kind::nfc) steps.push_back({{"type", "NFC"}});
    if (step.kind == NormalStep::Kind::prepend)
      steps.push_back({{"type", "Prepend"}, {"prepend", step.what}});
    if (step.kind == NormalStep::Kind::replace) steps.push_back(replace_json(step.what, step.by));
  }
  return sequence_of(steps, "normalizers");
}

/// Of `characters`: what puts U+2581 before text, if no normalizer does.
ordered_json metaspace_json(const BpeSpec& spec) {
  using Prefix = BpeSpec::Prefix;
  if (!spec.spaces_marked) return nullptr;
  return {{"type", "Metaspace"},
          {"replacement", "\u2581"},
          {"prepend_scheme", spec.prefix == Prefix::always  ? "always"
                             : spec.prefix == Prefix::first ? "first"
                                                            : "never"},
          {"split", spec.pre_tokenizer == "words"}};
}

ordered_json decoder_json(const BpeSpec& spec) {
  std::vector<ordered_json> steps{replace_json("\u2581", " ")};
  if (spec.byte_fallback) steps.push_back({{"type", "ByteFallback"}});
  steps.push_back({{"type", "Fuse"}});
  if (spec.strip_first)
    steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return sequence_of(steps, "decoders");
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

std::string tokenizer_json_text(const BpeSpec& spec) {
  json vocabulary = json::object();  // sorted by name: ordered_json is a list, slow at this size
  for (std::size_t i = 0; i < spec.tokens.size(); ++i) {
    if (!spec.tokens[i].empty()) vocabulary[spec.tokens[i]] = i;
  }
  const ordered_json byte_level = {{"type", "ByteLevel"},
                                   {"add_prefix_space", false},
                                   {"trim_offsets", true},
                                   {"use_regex", true}};
  const ordered_json unknown =
      spec.unk ? ordered_json(spec.tokens[static_cast<std::size_t>(*spec.unk)]) : ordered_json();
  const ordered_json document = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added_tokens_json(spec)},
      {"normalizer", normalizer_json(spec)},
      {"pre_tokenizer",
       spec.characters ? metaspace_json(spec) : pre_tokenizer_json(spec.pre_tokenizer)},
      {"post_processor", nullptr},
      {"decoder", spec.characters ? decoder_json(spec) : byte_level},
      {"model",
       {{"type", "BPE"},
        {"dropout", nullptr},
        {"unk_token", unknown},
        {"continuing_subword_prefix", nullptr},
        {"end_of_word_suffix", nullptr},
        {"fuse_unk", spec.fuse_unk},
        {"byte_fallback", spec.byte_fallback},
        {"ignore_merges", spec.ignore_merges},
        {"vocab", vocabulary},
        {"merges", spec.merges}}}};
  return document.dump(1) + "\n";
}

void write_tokenizer_json(const std::filesystem::path& folder, const BpeSpec& spec) {
  write_file_atomically(folder / "tokenizer.json",
                        spec.json.empty() ? tokenizer_json_text(spec) : spec.json);
  if (!spec.json.empty()) {
    if (!spec.config_json.empty())
      write_file_atomically(folder / "tokenizer_config.json", spec.config_json);
    return;
  }
  ordered_json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                         {"clean_up_tokenization_spaces", false}};
  if (spec.bos) config["bos_token"] = spec.tokens[static_cast<std::size_t>(*spec.bos)];
  if (spec.eos) config["eos_token"] = spec.tokens[static_cast<std::size_t>(*spec.eos)];
  if (spec.eos) config["pad_token"] = spec.tokens[static_cast<std::size_t>(*spec.eos)];
  write_file_atomically(folder / "tokenizer_config.json", config.dump(2) + "\n");
}

}  // namespace seawall
