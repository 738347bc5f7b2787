#pragma once
// Chat completions of an OpenAI-compatible endpoint, greedy, within a budget.
// Source: OpenAI API reference, "Chat completions".
#include <functional>
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
  std::string text;
  bool finished = true;  // false: cut at the greatest length
  Usage usage;
  double usd = 0;
  std::string error;  // why there is no text; empty where there is one
  long status = 0;    // of the answer that said so
  bool ok() const { return error.empty(); }
  /// The endpoint refuses this request for what it says: asking again gives the same.
  bool refused() const { return status >= 400 && status < 500 && status != 429; }
};

/// What is wrong with a chat completion; empty where it can be used.
std::string wrong_with_reply(const std::string& body);
/// Reads one that is not wrong. Usage that it does not state stays zero.
ChatReply parse_reply(const std::string& body);

/// A model behind an endpoint, paid from `spending` under `purpose`; client and spending are
/// borrowed.
struct ChatModel {
  HttpClient& client;
  Spending& spending;
  std::string model, purpose;
  Price price;
  std::int64_t max_tokens = 256;

  /// Asks every dialogue at temperature 0; `done` takes the replies as they come. Returns how many
  /// came: fewer than all where the budget does not hold the next one. A try whose end nobody saw
  /// is booked as if it had been answered at full length. Errors: Interrupted where the endpoint
  /// lets us ask nothing (wrong key, no such model).
  std::size_t ask_all(const std::vector<Dialogue>& dialogues,
                      const std::function<void(std::size_t, ChatReply)>& done) const;
  /// What asking `dialogues` costs at most, by tokens_about.
  double estimate(const std::vector<Dialogue>& dialogues) const;
};

}  // namespace seawall
