#include "seawall/remote/reply_cache.hpp"

#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/json.hpp"

namespace seawall {
namespace {

/// Binds a reply to its question, so that no file answers another one.
std::string seal_of(const std::string& key, const ReplyCache::Entry& entry) {
  Sha256 sha;
  sha.field(key).field(entry.text);
  sha.field(std::to_string(entry.usage.in)).field(std::to_string(entry.usage.out));
  if (!entry.error.empty()) sha.field(entry.error);
  return sha.hex();
}

}  // namespace

std::filesystem::path ReplyCache::file_of(const std::string& key) const {
  return folder_ / key.substr(0, 2) / (key + ".json");
}

std::optional<ReplyCache::Entry> ReplyCache::find(const std::string& key) const {
  if (folder_.empty()) return std::nullopt;
  const auto file = file_of(key);
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return std::nullopt;
  try {
    const auto json = parse_json(read_file(file, std::uint64_t{4} << 20), file.string());
    Entry entry{.text = json.at("text").get<std::string>(),
                .usage = {json.at("tokens_in").get<std::int64_t>(),
                          json.at("tokens_out").get<std::int64_t>()},
                .error = json.value("error", "")};
    if (json.at("sha256").get<std::string>() == seal_of(key, entry)) return entry;
  } catch (const Error&) {
  } catch (const nlohmann::json::exception&) {
  }
  return std::nullopt;
}

void ReplyCache::keep(const std::string& key, const Entry& entry) const {
  if (folder_.empty()) return;
  const auto file = file_of(key);
  std::error_code error;
  std::filesystem::create_directories(file.parent_path(), error);
  if (error)
    throw IoError(file.parent_path().string() + ": cannot make the folder: " + error.message());
  nlohmann::json json{{"text", entry.text},
                      {"tokens_in", entry.usage.in},
                      {"tokens_out", entry.usage.out},
                      {"sha256", seal_of(key, entry)}};
  if (!entry.error.empty()) json["error"] = entry.error;
  write_file_atomically(file, json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace seawall
