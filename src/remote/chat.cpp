#include "seawall/remote/chat.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "remote/endpoint_error.hpp"
#include "seawall/core/error.hpp"

namespace seawall {
namespace {

/// Rows that may be refused for a reason nobody knows before the run is ended.
constexpr std::size_t enough = 3;

/// A message without its numbers and ids: what refusals of one kind share.
std::string kind_of(const std::string& message) {
  std::string out;
  for (const char c : message)
    if (c < '0' || c > '9') out += c;
  return out.substr(0, 60);
}

/// One ask_all under way: rounds of requests in the style that the endpoint takes.
class Asking {
 public:
  using Done = std::function<void(std::size_t, ChatReply)>;
  Asking(const ChatModel& model, const std::vector<Dialogue>& dialogues, const Done& done)
      : model_(model), style_(*model.style), dialogues_(dialogues), done_(done) {
    for (std::size_t i = 0; i < dialogues.size(); ++i) open_.push_back(i);
  }

  std::size_t run() {
    while (!open_.empty()) {
      const std::size_t before = open_.size();
      send();
      if (absent_) {
        model_.client.wait(model_.poll);
        waited_ += model_.poll;
      }
      if (open_.empty() || broke_ || (open_.size() == before && !changed_)) break;
    }
    if (!held_.empty() && !style_.proven) refuse_all(held_.front().second.error);
    deliver_held();
    return came_;
  }

 private:
  Usage most(std::size_t i) const {
    return {.in = tokens_about(dialogues_[i]), .out = model_.max_tokens};
  }

  HttpRequest request(std::size_t i) const {
    nlohmann::json body{{"model", model_.model}, {"messages", messages_json(dialogues_[i])}};
    body[style_.completion_field ? "max_completion_tokens" : "max_tokens"] = model_.max_tokens;
    if (model_.temperature > 0)
      body["temperature"] = model_.temperature;
    else if (style_.temperature)
      body["temperature"] = 0;
    if (model_.top_p < 1) body["top_p"] = model_.top_p;
    return {.method = "POST",
            .path = "/chat/completions",
            .body = json_text(body),
            .wrong = wrong_with_reply,
            .failed = passing_error};
  }

  /// Sends what is open, until the style changes; what must be asked again stays open.
  void send() {
    const std::vector<std::size_t> sent = std::move(open_);
    std::vector<HttpRequest> requests;
    std::vector<bool> ended(sent.size(), false);
    for (const auto i : sent) requests.push_back(request(i));
    open_.clear();
    sent_in_ = style_;
    changed_ = absent_ = false;
    std::size_t under_way = 0;
    model_.client.ask_all(
        requests,
        [&](std::size_t at, const HttpAnswer& answer) {
          --under_way;
          ended[at] = take(sent[at], answer);
        },
        [&](std::size_t at) {
          if (changed_ || (!settled_ && !style_.proven && under_way > 0)) return false;
          broke_ = !model_.spending.reserve(model_.price.of(most(sent[at])));
          under_way += !broke_;
          return !broke_;
        });
    for (std::size_t at = 0; at < sent.size(); ++at)
      if (!ended[at]) open_.push_back(sent[at]);
  }

  /// False if the row must be asked again in another style.
  bool take(std::size_t i, const HttpAnswer& answer) {
    const Price& price = model_.price;
    model_.spending.release(price.of(most(i)));
    for (std::int64_t lost = 0; lost < answer.lost; ++lost)
      model_.spending.charge(model_.purpose, price.of(most(i)), most(i));
    if (answer.status == 404 && waited_ < model_.patience) {
      absent_ = changed_ = true;
      return false;
    }
    if (answer.hopeless()) refuse_all(answer.error);
    if (answer.ok()) {
      ChatReply reply = parse_reply(answer.body);
      // It may be what the endpoint says to every request.
      if (reply.reported || reply.other_kind) {
        model_.spending.charge(model_.purpose, price.of(reply.usage), reply.usage);
        return complain(i, std::move(reply), complaint_of(endpoint_error(answer.body), 200));
      }
      style_.proven = true;
      if (reply.usage.in + reply.usage.out == 0)
        reply.usage = {.in = most(i).in,
                       .out = reply.finished ? tokens_about(reply.text) : model_.max_tokens};
      reply.usd = price.of(reply.usage);
      model_.spending.charge(model_.purpose, reply.usd, reply.usage);
      deliver(i, std::move(reply));
      return true;
    }
    ChatReply reply;
    reply.error = answer.error;
    reply.settled = answer.refused() || (answer.unreadable && !answer.page);
    if (answer.unreadable) return complain(i, std::move(reply), Complaint::unknown);
    if (!reply.settled) {  // the request itself was not what failed
      settled_ = true;
      deliver(i, std::move(reply));
      return true;
    }
    return complain(i, std::move(reply), complaint_of(endpoint_error(answer.body), answer.status));
  }

  bool complain(std::size_t i, ChatReply reply, Complaint complaint) {
    switch (complaint) {
      case Complaint::content:
        style_.proven = true;
        deliver(i, std::move(reply));
        return true;
      case Complaint::too_long:
        settled_ = true;
        hold(i, std::move(reply));
        return true;
      case Complaint::token_field:
        if (sent_in_.completion_field) refuse_all(reply.error);
        return change(style_.completion_field, true,
                      "refuses max_tokens, so max_completion_tokens is sent from now on");
      case Complaint::temperature:
        if (!sent_in_.temperature || model_.temperature > 0) refuse_all(reply.error);
        return change(style_.temperature, false,
                      "refuses a temperature of 0, so none is sent from now on: answers are drawn "
                      "at the provider's default and differ from run to run");
      case Complaint::request:
        refuse_all(reply.error);
      case Complaint::unknown:
        hold(i, std::move(reply));
        settled_ = settled_ || held_.size() >= enough;
        if (held_.size() == enough && same_reason()) refuse_all(held_.front().second.error);
        return true;
    }
    return true;
  }

  /// Keeps a refusal until an answer shows that it was the row's own.
  void hold(std::size_t i, ChatReply reply) {
    held_.emplace_back(i, std::move(reply));
    if (style_.proven) deliver_held();
  }

  bool change(bool& part, bool to, const std::string& what) {
    if (part != to && model_.notice) model_.notice(model_.model + " " + what);
    part = to;
    changed_ = true;
    return false;
  }

  bool same_reason() const {
    return std::ranges::all_of(held_, [&](const auto& held) {
      return kind_of(held.second.error) == kind_of(held_.front().second.error);
    });
  }

  [[noreturn]] void refuse_all(const std::string& why) const {
    throw Interrupted(ExitCode::usage,
                      model_.client.endpoint().url() + ": refuses model " + model_.model + ": " +
                          why +
                          "; no other request would fare better: check the key, --base-url, "
                          "the model's name and the options");
  }

  void deliver(std::size_t i, ChatReply reply) {
    if (style_.proven) deliver_held();
    ++came_;
    done_(i, std::move(reply));
  }

  void deliver_held() {
    const auto held = std::move(held_);
    held_.clear();
    for (const auto& [i, reply] : held) {
      ++came_;
      done_(i, reply);
    }
  }

  const ChatModel& model_;
  ChatStyle& style_;
  ChatStyle sent_in_;
  const std::vector<Dialogue>& dialogues_;
  const Done& done_;
  std::vector<std::size_t> open_;
  std::vector<std::pair<std::size_t, ChatReply>> held_;  // refused, and nobody knows for what
  bool broke_ = false;
  bool changed_ = false;  // the rest is asked in a round of its own
  bool absent_ = false;   // the model is not found yet
  bool settled_ = false;  // several may be under way
  double waited_ = 0;
  std::size_t came_ = 0;
};

}  // namespace

std::string ChatStyle::text(const std::string& temperatures) const {
  return std::string(completion_field ? "max_completion_tokens" : "max_tokens") +
         (temperature || temperatures != "0" ? ", temperature " + temperatures
                                             : ", no temperature");
}

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

double ChatModel::estimate(const std::vector<Dialogue>& dialogues) const {
  double usd = 0;
  for (const auto& dialogue : dialogues)
    usd += price.of({.in = tokens_about(dialogue), .out = max_tokens});
  return usd;
}

std::size_t ChatModel::ask_all(const std::vector<Dialogue>& dialogues,
                               const std::function<void(std::size_t, ChatReply)>& done) const {
  return Asking(*this, dialogues, done).run();
}

}  // namespace seawall
