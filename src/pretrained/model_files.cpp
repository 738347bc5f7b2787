#include "pretrained/model_files.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/json.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 10> side_names{"tokenizer.json",
                                                      "tokenizer.model",
                                                      "tokenizer_config.json",
                                                      "special_tokens_map.json",
                                                      "added_tokens.json",
                                                      "vocab.json",
                                                      "merges.txt",
                                                      "chat_template.jinja",
                                                      "chat_template.json",
                                                      "generation_config.json"};

constexpr std::uint64_t max_json = std::uint64_t{64} << 20;

/// Ids of a field: one, or a list; -1 and null are none.
std::vector<std::int32_t> ids_in(const nlohmann::json& json, const char* field,
                                 const std::string& where) {
  if (!json.is_object() || !json.contains(field) || json[field].is_null()) return {};
  const auto& value = json[field];
  std::vector<std::int32_t> ids;
  for (const auto& each : value.is_array() ? value : nlohmann::json::array({value})) {
    if (!each.is_number_integer() || each.get<double>() < -1 || each.get<double>() > INT32_MAX)
      throw DataError(where + ": " + field + " is " + value.dump() +
                      ", want a token id or a list of them");
    if (each.get<std::int64_t>() >= 0) ids.push_back(each.get<std::int32_t>());
  }
  return ids;
}

EndIds ends_in(const fs::path& file) {
  if (!fs::exists(file)) return {};
  const auto json = parse_json(read_file(file, max_json), file.string());
  EndIds ends{.bos = std::nullopt, .eos = ids_in(json, "eos_token_id", file.string())};
  const auto bos = ids_in(json, "bos_token_id", file.string());
  if (!bos.empty()) ends.bos = bos.front();
  return ends;
}

std::string ids_text(const std::vector<std::int32_t>& ids) {
  std::string text;
  for (const auto id : ids) text += (text.empty() ? "" : ", ") + std::to_string(id);
  return ids.empty() ? "none" : text;
}

}  // namespace

bool is_side_file(const std::string& name) {
  return std::ranges::find(side_names, name) != side_names.end();
}

std::map<std::string, std::string> side_files(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto name : side_names)
    if (fs::is_regular_file(folder / name)) files[std::string(name)] = read_file(folder / name);
  return files;
}

FolderEnds ends_of_folder(const fs::path& folder) {
  FolderEnds out;
  out.config = ends_in(folder / "config.json");
  out.stops = out.config.eos;
  const auto file = folder / "generation_config.json";
  if (!fs::exists(file)) return out;
  const auto& own = out.config.eos;
  out.stops = ends_in(file).eos;
  const auto sorted = [](std::vector<std::int32_t> ids) {
    std::ranges::sort(ids);
    return ids;
  };
  if (!own.empty() && sorted(own) != sorted(out.stops))
    out.notices.push_back(file.string() + " has eos_token_id " + ids_text(out.stops) +
                          ", config.json " + ids_text(own) +
                          ": generation_config.json counts, as in transformers (the chat "
                          "template's end of an answer ends it as well)");
  return out;
}

DecodingFile decoding_of_folder(const fs::path& folder, std::int64_t vocabulary) {
  for (const auto* name : {"generation_config.json", "config.json"}) {
    const auto file = folder / name;
    if (fs::exists(file))
      return read_decoding(read_file(file, max_json), file.string(), vocabulary);
  }
  return {};
}

}  // namespace seawall
