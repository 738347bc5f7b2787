#pragma once
// Chat completions of an OpenAI-compatible endpoint, within a budget.
// Source: OpenAI API reference, "Chat completions".
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "seawall/core/dialogue.hpp"
#include "seawall/remote/http.hpp"
#include "seawall/remote/spending.hpp"

namespace seawall {

/// The messages of a dialogue as the protocol writes them. Errors: DataError for a picture.
nlohmann::json messages_json(const Dialogue& dialogue);
/// JSON text with invalid UTF-8 replaced by U+FFFD.
std::string json_text(const nlohmann::json& json);

struct ChatReply {
  std::string text;       // what was said, thinking left out; of a refusal field, its words
  bool finished = true;   // false: cut at the greatest length
  bool declined = false;  // the endpoint's refusal field answered
  Usage usage;
  double usd = 0;
  std::string error;  // why there is no answer; empty if there is one
  /// Asking again gives the same: there is an answer, or the endpoint gives none to this request.
  bool settled = false;
  bool reported = false;    // the body reports an error in place of a reply
  bool other_kind = false;  // the body is JSON of another kind than a chat completion
  bool ok() const { return error.empty(); }
};

/// What keeps a body from being a chat completion at all; empty if it is one.
std::string wrong_with_reply(const std::string& body);
/// The passing error that a body reports in place of a completion; empty if it reports none.
std::string passing_error(const std::string& body);
/// Reads a completion that is not wrong. A reply that the endpoint withheld, broke off or left
/// empty, or that never came out of its thinking, has `error` and is settled; a refusal field
/// counts whatever comes with it. Usage that it does not state stays zero.
ChatReply parse_reply(const std::string& body);

/// How an endpoint wants to be asked: what it refuses is changed once and remembered.
struct ChatStyle {
  bool completion_field = false;  // the limit is sent as max_completion_tokens
  bool temperature = true;        // false: left out, since a temperature of 0 is refused
  bool proven = false;            // a request was answered, or refused for what it says
  /// E.g. `max_tokens, temperature 0`, of these temperatures.
  std::string text(const std::string& temperatures = "0") const;
};

/// A model behind an endpoint, paid from `spending` under `purpose`; client and spending are
/// borrowed.
struct ChatModel {
  HttpClient& client;
  Spending& spending;
  std::string model, purpose;
  Price price;
  std::int64_t max_tokens = 256;
  std::shared_ptr<ChatStyle> style = std::make_shared<ChatStyle>();
  std::function<void(const std::string&)> notice = nullptr;  // told of a change of style
  /// Seconds that a model which is not found (status 404) may take to appear, since one that was
  /// just trained is not served at once; looked for every `poll` seconds.
  double patience = 0, poll = 10;
  double temperature = 0, top_p = 1;  // top_p is sent below 1

  /// Asks every dialogue; `done` takes the replies as they come. Returns how many
  /// came: fewer than all if the budget does not hold the next one. A try whose end nobody saw is
  /// booked as if it had been answered at full length. Until the first request is settled, one is
  /// sent at a time; a parameter that the endpoint refuses is changed once (ChatStyle). Errors:
  /// Interrupted with the endpoint's message if no request would fare better: a wrong key, no such
  /// model, a parameter that is refused (a temperature above 0 is never left out), or the same
  /// status 400 for every row.
  std::size_t ask_all(const std::vector<Dialogue>& dialogues,
                      const std::function<void(std::size_t, ChatReply)>& done) const;
  /// What asking `dialogues` costs at most, by tokens_about.
  double estimate(const std::vector<Dialogue>& dialogues) const;
};

}  // namespace seawall
