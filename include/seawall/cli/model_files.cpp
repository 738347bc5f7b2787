#include "seawall/cli/model_files.hpp"

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

std::vector<std::int32_t> stop_ids_of(const std::string& text, const std::string& where) {
  const auto json = parse_json(text, where);
  if (!json.is_object() || !json.contains("eos_token_id") || json["eos_token_id"].is_null())
    return {};
  const auto& value = json["eos_token_id"];
  const auto list = value.is_array() ? value : nlohmann::json::array({value});
  std::vector<std::int32_t> ids;
  for (const auto& each : list) {
    if (!each.is_number_integer() || each.get<double>() < -1 || each.get<double>() > INT32_MAX)
      throw DataError(where + ": eos_token_id is " + value.dump() +
                      ", want a token id or a list of them");
    if (each.get<std::int64_t>() >= 0) ids.push_back(each.get<std::int32_t>());
  }
  return ids;
}

std::vector<std::int32_t> stop_ids_of_folder(const fs::path& folder) {
  for (const auto* name : {"generation_config.json", "config.json"}) {
    const auto file = folder / name;
    if (!fs::exists(file)) continue;
    auto ids = stop_ids_of(read_file(file, std::uint64_t{64} << 20), file.string());
    if (!ids.empty()) return ids;
  }
  return {};
}

}  // namespace seawall
