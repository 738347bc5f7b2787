#include "seawall/remote/chat.hpp"

#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/core/json.hpp"

namespace seawall {
namespace {

/// The member `key` of `json`, or null.
const nlohmann::json& member(const nlohmann::json& json, const char* key) {
  static const nlohmann::json null;
  const auto found = json.is_object() ? json.find(key) : json.end();
  return json.is_object() && found != json.end() ? *found : null;
}

const nlohmann::json& first_choice(const nlohmann::json& json) {
  static const nlohmann::json null;
  const auto& choices = member(json, "choices");
  return choices.is_array() && !choices.empty() ? choices.front() : null;
}

/// What the model said, or its refusal where the endpoint keeps that apart; null where neither is
/// text.
const nlohmann::json& text_of(const nlohmann::json& choice) {
  const auto& message = member(choice, "message");
  const auto& content = member(message, "content");
  return content.is_string() ? content : member(message, "refusal");
}

std::int64_t count_of(const nlohmann::json& json, const char* key) {
  const auto& value = member(json, key);
  return value.is_number_unsigned() && value.get<std::uint64_t>() < (std::uint64_t{1} << 40)
             ? value.get<std::int64_t>()
             : 0;
}

}  // namespace

std::string json_text(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

nlohmann::json messages_json(const Dialogue& dialogue) {
  if (dialogue.picture != nullptr)
    throw DataError("a dialogue with a picture: remote models are asked in text alone");
  nlohmann::json out = nlohmann::json::array();
  for (const auto& message : dialogue.messages)
    out.push_back({{"role", std::string(role_name(message.role))}, {"content", message.content}});
  return out;
}

std::string wrong_with_reply(const std::string& body) {
  nlohmann::json json;
  try {
    json = parse_json(body, "the reply");
  } catch (const DataError& e) {
    return e.what();
  }
  if (!text_of(first_choice(json)).is_string())
    return "the reply has no choices[0].message.content";
  return "";
}

ChatReply parse_reply(const std::string& body) {
  const auto json = parse_json(body, "the reply");
  const auto& choice = first_choice(json);
  const auto& usage = member(json, "usage");
  ChatReply reply;
  reply.text = text_of(choice).get<std::string>();
  reply.finished = member(choice, "finish_reason") != "length";
  reply.usage = {count_of(usage, "prompt_tokens"), count_of(usage, "completion_tokens")};
  return reply;
}

double ChatModel::estimate(const std::vector<Dialogue>& dialogues) const {
  double usd = 0;
  for (const auto& dialogue : dialogues)
    usd += price.of({.in = tokens_about(dialogue), .out = max_tokens});
  return usd;
}

std::size_t ChatModel::ask_all(const std::vector<Dialogue>& dialogues,
                               const std::function<void(std::size_t, ChatReply)>& done) const {
  std::vector<HttpRequest> requests;
  std::vector<Usage> most;
  requests.reserve(dialogues.size());
  for (const auto& dialogue : dialogues) {
    requests.push_back({.method = "POST",
                        .path = "/chat/completions",
                        .body = json_text({{"model", model},
                                           {"messages", messages_json(dialogue)},
                                           {"temperature", 0},
                                           {"max_tokens", max_tokens}}),
                        .wrong = wrong_with_reply});
    most.push_back({.in = tokens_about(dialogue), .out = max_tokens});
  }
  return client.ask_all(
      requests,
      [&](std::size_t i, const HttpAnswer& answer) {
        spending.release(price.of(most[i]));
        for (std::int64_t lost = 0; lost < answer.lost; ++lost)
          spending.charge(purpose, price.of(most[i]), most[i]);
        if (answer.hopeless())
          throw Interrupted(ExitCode::usage,
                            client.endpoint().url() + ": refuses model " + model + ": " +
                                answer.error + "; check the key, --base-url and the model's name");
        ChatReply reply;
        if (answer.ok()) {
          reply = parse_reply(answer.body);
          if (reply.usage.in + reply.usage.out == 0)
            reply.usage = {.in = most[i].in, .out = tokens_about(reply.text)};
          reply.usd = price.of(reply.usage);
          spending.charge(purpose, reply.usd, reply.usage);
        } else {
          reply.error = answer.error;
        }
        reply.status = answer.status;
        done(i, std::move(reply));
      },
      [&](std::size_t i) { return spending.reserve(price.of(most[i])); });
}

}  // namespace seawall
