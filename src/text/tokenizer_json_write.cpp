// Writes a tokenizer that came from elsewhere (GGUF) as tokenizer.json.
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

void write_tokenizer_json(const std::filesystem::path& folder, const BpeSpec& spec) {
  if (!spec.json.empty()) {
    write_file_atomically(folder / "tokenizer.json", spec.json);
    if (!spec.config_json.empty())
      write_file_atomically(folder / "tokenizer_config.json", spec.config_json);
    return;
  }
  json vocabulary = json::object();  // sorted by name: ordered_json is a list, slow at this size
  for (std::size_t i = 0; i < spec.tokens.size(); ++i) {
    if (!spec.tokens[i].empty()) vocabulary[spec.tokens[i]] = i;
  }
  const ordered_json byte_level = {{"type", "ByteLevel"},
                                   {"add_prefix_space", false},
                                   {"trim_offsets", true},
                                   {"use_regex", true}};
  // Only NFC can be there: what has more came from a tokenizer.json.
  const auto normalizer = spec.normalizer.empty() ? ordered_json() : ordered_json{{"type", "NFC"}};
  const ordered_json document = {{"version", "1.0"},
                                 {"truncation", nullptr},
                                 {"padding", nullptr},
                                 {"added_tokens", added_tokens_json(spec)},
                                 {"normalizer", normalizer},
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

}  // namespace seawall
