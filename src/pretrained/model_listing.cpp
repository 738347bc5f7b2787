#include "seawall/pretrained/model_listing.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>
#include <vector>

#include "pretrained/bundle_template.hpp"
#include "pretrained/model_files.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/text.hpp"
#include "seawall/model/files.hpp"
#include "seawall/model/hf_names.hpp"
#include "seawall/text/folder_tokenizer.hpp"
#include "seawall/text/gguf_pre.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;

std::string number(double value, const char* format) {
  std::array<char, 48> text;
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

std::string bytes_text(std::uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  return bytes >= 1'000'000'000 ? number(value / 1e9, "%.2f GB") : number(value / 1e6, "%.2f MB");
}

std::string line(const std::string& name, const std::string& text) {
  return "  " + name + std::string(name.size() < 11 ? 11 - name.size() : 1, ' ') + text + "\n";
}

std::string sizes_text(const LlamaConfig& c) {
  return std::to_string(c.layers) + " layers, width " + std::to_string(c.hidden_size) + ", " +
         std::to_string(c.heads) + " heads (" + std::to_string(c.kv_heads) + " key/value) of " +
         std::to_string(c.head_dim) + ", MLP " + std::to_string(c.intermediate_size) + ", " +
         (c.tie_word_embeddings ? "tied" : "own") + " head" +
         (c.family->has(Part::q_bias) ? ", biases of q, k and v" : "") +
         (c.family->has(Part::q_norm) ? ", norms of q and k" : "") +
         (c.attention_cap > 0 ? ", capped scores" : "");
}

std::string context_text(const LlamaConfig& c) {
  auto text = std::to_string(c.max_position_embeddings) + " tokens";
  if (c.sliding_window > 0)
    text += ", window " + std::to_string(c.sliding_window) +
            (c.family->window == Window::alternate ? " in every other layer" : "");
  text += ", rotary base " + number(c.rope_theta, "%g");
  const auto& scaling = c.rope_scaling;
  if (scaling.type == RopeScaling::Type::linear) text += " / " + number(scaling.factor, "%g");
  if (scaling.type == RopeScaling::Type::llama3)
    text += ", llama3 x " + number(scaling.factor, "%g") + " beyond " +
            std::to_string(scaling.original_max_position_embeddings);
  return text;
}

/// What a file says of the model; where it is not one that runs, why.
struct ModelSummary {
  std::optional<LlamaConfig> config;
  std::string refusal;
};

template <class Read>
ModelSummary summary_of(Read&& read) {
  try {
    return {read(), ""};
  } catch (const DataError& error) {
    return {std::nullopt, error.what()};
  }
}

std::string family_text(const ModelSummary& summary) {
  if (!summary.config) return line("family", "does not run here: " + summary.refusal);
  const auto& c = *summary.config;
  return line("family", std::string(c.family->type) + ", " +
                            number(static_cast<double>(c.parameter_count()) / 1e6, "%.1f") +
                            " M parameters") +
         line("sizes", sizes_text(c)) + line("context", context_text(c));
}

std::string types_text(const std::vector<StoredTensor>& tensors) {
  std::map<std::string, std::pair<std::size_t, std::uint64_t>> types;
  for (const auto& tensor : tensors) {
    ++types[tensor.type].first;
    types[tensor.type].second += tensor.bytes;
  }
  std::string text;
  for (const auto& [type, use] : types)
    text += (text.empty() ? "" : ", ") + std::to_string(use.first) + " " + type + " (" +
            bytes_text(use.second) + ")";
  return text;
}

/// A line a kind of tensor: those that differ in the layer alone share one, in order of their first
/// one.
std::string tensors_text(const std::vector<StoredTensor>& tensors) {
  struct Group {
    std::string first, rest;
    std::size_t count = 0;
  };
  std::vector<Group> groups;
  std::unordered_map<std::string, std::size_t> places;
  for (const auto& tensor : tensors) {
    auto key = shown(tensor.name);
    for (std::string_view part : {".layers.", "blk."}) {
      const auto at = key.find(part);
      if (at == std::string::npos) continue;
      const auto begin = at + part.size(), end = key.find_first_not_of("0123456789", begin);
      if (end != std::string::npos && end > begin) key.replace(begin, end - begin, "N");
      break;
    }
    std::string rest = " [";
    for (const auto size : tensor.shape)
      rest += (rest.size() > 2 ? "," : "") + std::to_string(size);
    rest += "] " + shown(tensor.type);
    const auto [place, fresh] = places.try_emplace(key + rest, groups.size());
    if (fresh) groups.push_back({key, rest});
    ++groups[place->second].count;
  }
  std::string text;
  for (const auto& group : groups)
    text += "    " + (group.count > 1 ? std::to_string(group.count) + " x " : std::string()) +
            group.first + group.rest + "\n";
  return text;
}

/// What config.json asks for and the files do not hold, or hold otherwise.
std::string mismatch_text(const LlamaConfig& config, const std::vector<StoredTensor>& tensors) {
  std::unordered_map<std::string, const StoredTensor*> by_name;
  for (const auto& tensor : tensors)
    if (extra_of(tensor.name) == Extra::none) by_name.emplace(canonical_name(tensor.name), &tensor);
  if (config.tie_word_embeddings && !by_name.contains("model.embed_tokens.weight"))
    if (auto head = by_name.extract("lm_head.weight")) {
      head.key() = "model.embed_tokens.weight";
      by_name.insert(std::move(head));
    }
  std::size_t missing = 0, other = 0;
  std::string first;
  for (const auto& [name, shape] : config.parameter_shapes()) {
    const auto found = by_name.find(name);
    const bool absent = found == by_name.end();
    if (!absent && found->second->shape == shape) continue;
    ++(absent ? missing : other);
    if (first.empty()) first = name;
  }
  if (first.empty()) return "";
  return line("!", std::to_string(missing) + " tensors of config.json are missing and " +
                       std::to_string(other) + " have other shapes, first " + first);
}

/// A head that is stored and tied is compared when the model is loaded.
Notices head_notices(const LlamaConfig& config, const std::vector<StoredTensor>& tensors) {
  bool head = false, embedding = false;
  for (const auto& tensor : tensors) {
    head |= canonical_name(tensor.name) == "lm_head.weight";
    embedding |= canonical_name(tensor.name) == "model.embed_tokens.weight";
  }
  if (!config.tie_word_embeddings || !head || !embedding) return {};
  return {
      "config.json ties the head to the embedding and the weights have an lm_head as well: it "
      "counts if its values differ, as in transformers"};
}

/// What a folder's tokenizer files disagree on, or why they are not read.
Notices tokenizer_notices(const fs::path& folder) {
  if (!fs::exists(folder / "tokenizer.json") && !fs::exists(folder / "tokenizer.model")) return {};
  try {
    return load_folder_tokenizer(folder).notices;
  } catch (const DataError& error) {
    return {error.what()};
  }
}

std::string describe_folder(const fs::path& folder) {
  const auto config_file = folder / "config.json";
  const auto text = read_file(config_file, std::uint64_t{64} << 20);
  const auto summary =
      summary_of([&] { return LlamaConfig::from_json(text, config_file.string()); });
  const auto files = hf_weight_files(folder);
  std::vector<StoredTensor> tensors;
  for (const auto& file : files) {
    auto some = list_safetensors(file);
    std::ranges::move(some, std::back_inserter(tensors));
  }
  std::string vocabulary, chat = "none found; name one with --template";
  if (summary.config)
    vocabulary = std::to_string(summary.config->vocab_size) + " tokens by config.json";
  for (const auto* name : {"tokenizer.json", "tokenizer.model"})
    if (fs::exists(folder / name)) vocabulary += std::string(", ") + name;
  const auto ends = ends_of_folder(folder);
  std::string stops;
  for (const auto id : ends.stops) stops += " " + std::to_string(id);
  const auto own = template_of_folder(folder);
  if (!own.source.empty()) chat = "Jinja, " + std::to_string(own.source.size()) + " bytes";
  if (!own.name.empty() && own.name != jinja_name) chat = own.name;
  auto out = folder.string() + ": Hugging Face folder\n" + family_text(summary);
  out += line("files", std::to_string(files.size()) + " safetensors, " +
                           std::to_string(tensors.size()) + " tensors: " + types_text(tensors));
  if (summary.config) out += mismatch_text(*summary.config, tensors);
  out += line("vocabulary", vocabulary.empty() ? "no tokenizer" : vocabulary);
  if (!stops.empty()) out += line("stop ids", stops.substr(1));
  out += line("template", chat);
  auto notices = notices_of(folder, tensors);
  const auto add = [&](const Notices& more) {
    std::ranges::copy(more, std::back_inserter(notices));
  };
  add(ends.notices);
  add(own.notices);
  if (summary.config) {
    const auto decoding = decoding_of_folder(folder, summary.config->vocab_size);
    out += line("decoding", decoding.rules.text());
    add(decoding.notices);
    add(head_notices(*summary.config, tensors));
  }
  add(tokenizer_notices(folder));
  for (const auto& each : notices) out += line("!", each);
  return out + line("tensors", "N stands for the layer") + tensors_text(tensors);
}

std::string describe_gguf(const fs::path& file) {
  const GgufFile gguf(file);
  const auto summary = summary_of([&] { return gguf.llama_config(); });
  std::vector<StoredTensor> tensors;
  for (const auto& t : gguf.tensors()) tensors.push_back({t.name, t.type, t.shape, t.bytes});
  std::string vocabulary = "no tokenizer";
  if (gguf.has("tokenizer.ggml.model") && gguf.has("tokenizer.ggml.tokens")) {
    vocabulary = std::to_string(gguf.texts("tokenizer.ggml.tokens").size()) + " tokens, " +
                 shown(gguf.text("tokenizer.ggml.model"));
    if (gguf.has("tokenizer.ggml.pre")) vocabulary += ", " + shown(gguf.text("tokenizer.ggml.pre"));
  }
  std::string chat = "none found; name one with --template";
  if (gguf.has("tokenizer.chat_template"))
    chat = "Jinja, " + std::to_string(gguf.text("tokenizer.chat_template").size()) + " bytes";
  auto out = file.string() + ": GGUF, " + bytes_text(gguf.file_bytes()) +
             (gguf.parts() > 1 ? " in " + std::to_string(gguf.parts()) + " parts" : "") + "\n" +
             family_text(summary);
  out += line("file", std::to_string(gguf.metadata().size()) + " keys, " +
                          std::to_string(tensors.size()) + " tensors: " + types_text(tensors));
  out += line("vocabulary", vocabulary);
  const auto pre =
      gguf.has("tokenizer.ggml.pre") ? gguf.text("tokenizer.ggml.pre") : std::string("missing");
  if (gguf.has("tokenizer.ggml.model") && gguf.text("tokenizer.ggml.model") == "gpt2" &&
      !gguf_pre(pre))
    out += line("!", "tokenizer.ggml.pre is " + shown(pre) +
                         ": nothing says how text is split; name it with --tokenizer-pre");
  if (gguf.has("tokenizer.ggml.eos_token_id"))
    out += line("stop ids", std::to_string(gguf.integer("tokenizer.ggml.eos_token_id")));
  return out + line("template", chat) + line("tensors", "N stands for the layer") +
         tensors_text(tensors);
}

}  // namespace

std::string describe_model(const fs::path& path) {
  return fs::is_directory(path) ? describe_folder(path) : describe_gguf(path);
}

}  // namespace seawall
