#include "seawall/remote/moderation.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "remote/endpoint_error.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/json.hpp"
#include "seawall/remote/chat.hpp"

namespace seawall {
namespace {

constexpr std::size_t texts_a_request = 32;

Moderated moderated_of(const nlohmann::json& json) {
  Moderated out{.flagged = json.at("flagged").get<bool>()};
  if (const auto scores = json.find("category_scores"); scores != json.end() && scores->is_object())
    for (const auto& score : *scores)
      if (score.is_number()) out.score = std::max(out.score, score.get<double>());
  return out;
}

/// An entry of the cache, or nothing where it is none.
bool read_entry(const std::string& text, Moderated& out) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("flagged") || !json["flagged"].is_boolean()) return false;
  out = moderated_of(json);
  return true;
}

}  // namespace

std::string moderated_text(const Example& row) {
  std::string text;
  for (const auto& message : row.dialogue.messages)
    if (message.role != Role::system) text += (text.empty() ? "" : "\n\n") + message.content;
  return text;
}

std::vector<Moderated> parse_moderation(const std::string& body, std::size_t count) {
  const auto json = parse_json(body, "moderation");
  std::vector<Moderated> out;
  try {
    for (const auto& result : json.at("results")) out.push_back(moderated_of(result));
  } catch (const nlohmann::json::exception&) {
    throw DataError("moderation: the answer has no `results` with `flagged`");
  }
  if (out.size() != count)
    throw DataError("moderation: want " + std::to_string(count) + " results, got " +
                    std::to_string(out.size()));
  return out;
}

std::vector<Moderated> moderate_rows(HttpClient& client, const ReplyCache& cache,
                                     const Dataset& rows) {
  std::vector<Moderated> out(rows.size());
  std::vector<std::string> texts, keys;
  std::map<std::string, std::vector<std::size_t>> rows_of;  // by key
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string text = moderated_text(rows.rows[i]);
    const std::string key =
        Sha256().field("moderation-1").field(client.endpoint().url()).field(text).hex();
    if (const auto kept = cache.find(key); kept && read_entry(kept->text, out[i])) continue;
    auto& mine = rows_of[key];
    mine.push_back(i);
    if (mine.size() > 1) continue;
    texts.push_back(text);
    keys.push_back(key);
  }
  std::vector<HttpRequest> requests;
  for (std::size_t from = 0; from < texts.size(); from += texts_a_request) {
    const std::size_t to = std::min(from + texts_a_request, texts.size());
    nlohmann::json input = nlohmann::json::array();
    for (std::size_t i = from; i < to; ++i) input.push_back(texts[i]);
    requests.push_back({.method = "POST",
                        .path = "/moderations",
                        .body = json_text({{"input", input}}),
                        .wrong = [count = to - from](const std::string& body) -> std::string {
                          try {
                            parse_moderation(body, count);
                            return "";
                          } catch (const DataError& e) {
                            const auto error = endpoint_error(body);
                            return error ? error.text() : e.what();
                          }
                        },
                        .failed = passing_error});
  }
  client.ask_all(requests, [&](std::size_t at, const HttpAnswer& answer) {
    const std::string says = client.endpoint().url() + ": moderation: " + answer.error;
    if (answer.hopeless()) throw UsageError(says + "; check the key and --base-url");
    if (answer.refused()) throw DataError(says + "; no row was trained on");
    if (!answer.ok()) throw IoError(says + "; no row was trained on, run again");
    const std::size_t from = at * texts_a_request;
    const auto said = parse_moderation(answer.body, std::min(texts_a_request, texts.size() - from));
    for (std::size_t i = 0; i < said.size(); ++i) {
      const nlohmann::json entry{{"flagged", said[i].flagged},
                                 {"category_scores", {{"highest", said[i].score}}}};
      cache.keep(keys[from + i], {.text = entry.dump(), .usage = {}});
      for (const auto row : rows_of[keys[from + i]]) out[row] = said[i];
    }
  });
  return out;
}

}  // namespace seawall
