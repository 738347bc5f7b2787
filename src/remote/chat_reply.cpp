// What a chat completion says, or why it says nothing.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "remote/endpoint_error.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/invisible.hpp"
#include "seawall/core/json.hpp"
#include "seawall/core/text.hpp"
#include "seawall/remote/chat.hpp"

namespace seawall {
namespace {

using nlohmann::json;

/// The member `key` of `object`, or null.
const json& member(const json& object, const char* key) {
  static const json null;
  const auto found = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && found != object.end() ? *found : null;
}

/// The choice of index 0; several come only if an endpoint ignores that one was wanted.
const json& first_choice(const json& reply) {
  static const json null;
  const auto& choices = member(reply, "choices");
  if (!choices.is_array() || choices.empty()) return null;
  for (const auto& choice : choices)
    if (member(choice, "index") == 0) return choice;
  return choices.front();
}

std::int64_t count_of(const json& object, const char* key) {
  const auto& value = member(object, key);
  return value.is_number_unsigned() && value.get<std::uint64_t>() < (std::uint64_t{1} << 40)
             ? value.get<std::int64_t>()
             : 0;
}

std::string text_or_nothing(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_object() && member(value, "value").is_string()
             ? member(value, "value").get<std::string>()
             : "";
}

/// Text and refusals of a message's content, which is a text, a part or a list of parts; thinking
/// is no part of the answer.
struct Content {
  std::string text, refusal;
  void add(const json& part) {
    if (part.is_string()) {
      text += part.get<std::string>();
    } else if (part.is_array()) {
      for (const auto& inner : part) add(inner);
    } else if (part.is_object()) {
      const auto& type = member(part, "type");
      if (type == "refusal") refusal += text_or_nothing(member(part, "refusal"));
      if (type == "text" || type == "output_text" || type.is_null())
        text += text_or_nothing(member(part, "text"));
    }
  }
};

/// The refusal field, as text; empty if the message does not refuse.
std::string refusal_of(const json& message) {
  const auto& refusal = member(message, "refusal");
  if (refusal.is_string()) return refusal.get<std::string>();
  if (refusal.is_null() || refusal == false || refusal.empty()) return "";
  return json_text(refusal);
}

/// Anything but null, an empty text and an empty container.
bool is_there(const json& value) {
  return value.is_string() ? !value.get_ref<const std::string&>().empty() : !value.empty();
}

enum class Ending { done, cut, withheld, refused, unknown };

/// What finish_reason says, over the words of OpenAI, Azure, Mistral, vLLM, Anthropic, Gemini,
/// Cohere and Together.
Ending ending_of(std::string word) {
  for (char& c : word)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  constexpr std::array done{"",           "stop",          "eos",        "eos_token",    "end_turn",
                            "stop_token", "stop_sequence", "complete",   "completed",    "finish",
                            "finished",   "end",           "tool_calls", "function_call"};
  constexpr std::array cut{"length", "max_tokens", "model_length", "max_output_tokens"};
  constexpr std::array withheld{"filter", "error",      "safety",       "block",     "prohibited",
                                "spii",   "abort",      "recitation",   "sensitive", "cancel",
                                "toxic",  "moderation", "insufficient", "malformed"};
  const auto is = [&](std::string_view known) { return word == known; };
  const auto has = [&](std::string_view part) { return word.find(part) != std::string::npos; };
  if (std::ranges::any_of(done, is)) return Ending::done;
  if (std::ranges::any_of(cut, is)) return Ending::cut;
  if (has("refus")) return Ending::refused;
  return std::ranges::any_of(withheld, has) ? Ending::withheld : Ending::unknown;
}

/// How a choice ended: by finish_reason, or by the model's own word next to it if that says that
/// there is no answer.
Ending ending_of(const json& choice, std::string& finish) {
  const auto word = [&](const char* key) {
    const auto& value = member(choice, key);
    return value.is_string() ? value.get<std::string>() : std::string();
  };
  finish = word("finish_reason");
  const Ending ending = ending_of(finish);
  if (ending != Ending::done) return ending;
  for (const char* key : {"native_finish_reason", "stop_reason"}) {
    const Ending own = ending_of(word(key));
    if (own == Ending::done || own == Ending::unknown) continue;
    finish = word(key);
    return own;
  }
  return ending;
}

/// True if a content filter's notes say that it took something out.
bool is_filtered(const json& holder) {
  const auto& notes = member(holder, "content_filter_results");
  return notes.is_object() && std::ranges::any_of(notes, [](const json& note) {
           return member(note, "filtered") == true;
         });
}

std::string with_error(std::string reason, const json& holder) {
  if (const auto error = endpoint_error(json_text({{"error", member(holder, "error")}})))
    reason += ": " + error.text();
  return reason;
}

/// Why a message without text has none.
std::string why_empty(const json& message, Ending ending, const std::string& finish) {
  for (const char* key : {"tool_calls", "function_call"})
    if (is_there(member(message, key))) return "the reply calls a tool and says nothing";
  bool thought = false;
  for (const char* key : {"reasoning_content", "reasoning", "thinking", "reasoning_details"})
    thought = thought || is_there(member(message, key));
  thought = thought || member(message, "content").is_array();
  if (ending == Ending::cut)
    return std::string("the length limit was used up before the answer began") +
           (thought ? " (by reasoning)" : "") + "; allow more tokens";
  return "the reply has no text" + (finish.empty() ? "" : " (finish_reason " + finish + ")");
}

/// Fills in text, or error and why; everything but usage.
void read_choice(const json& choice, ChatReply& reply) {
  const auto& message = member(choice, "message");
  std::string finish;
  const Ending ending = ending_of(choice, finish);
  Content content;
  content.add(message.is_null() ? member(choice, "text") : member(message, "content"));
  content.refusal += refusal_of(message);
  reply.finished = ending != Ending::cut;
  reply.declined = !content.refusal.empty() || ending == Ending::refused;
  if (reply.declined) {
    reply.text = content.refusal.empty() ? content.text : content.refusal;
    return;
  }
  reply.text = content.text;
  if (ending == Ending::withheld || is_filtered(choice)) {
    const std::string said = finish.empty() ? "content_filter_results" : "finish_reason " + finish;
    reply.error = with_error("the endpoint withheld or broke off the reply: " + said, choice);
  } else if (ending == Ending::unknown) {
    reply.error = "the reply ended with finish_reason " + shown(finish, 40) +
                  ", which is not known as the end of an answer";
  } else if (is_invisible(content.text)) {
    reply.error = with_error(why_empty(message, ending, finish), choice);
  } else if (const auto answer = after_thinking(content.text); !answer) {
    reply.error = "the answer never began: its thinking does not end; allow more tokens";
  } else if (is_invisible(*answer)) {
    reply.error = why_empty(message, ending, finish);
  } else {
    reply.text = std::string(*answer);
  }
}

}  // namespace

std::string wrong_with_reply(const std::string& body) {
  try {
    if (parse_json(body, "the reply").is_object()) return "";
  } catch (const DataError& e) {
    return e.what();
  }
  return "the reply is no JSON object";
}

std::string passing_error(const std::string& body) {
  const auto error = endpoint_error(body);
  return error && error.passes() ? error.text() : "";
}

ChatReply parse_reply(const std::string& body) {
  const auto reply_json = parse_json(body, "the reply");
  const auto& choice = first_choice(reply_json);
  const auto& usage = member(reply_json, "usage");
  ChatReply reply;
  reply.settled = true;
  reply.usage = {count_of(usage, "prompt_tokens"), count_of(usage, "completion_tokens")};
  if (const auto error = endpoint_error(body)) {
    reply.error = "the endpoint reports an error in place of a reply: " + error.text();
    reply.reported = true;
  } else if (!choice.is_object()) {
    const auto& notes = member(reply_json, "prompt_filter_results");
    reply.other_kind = !reply_json.is_object() || !reply_json.contains("choices");
    if (notes.is_array() && std::ranges::any_of(notes, is_filtered))
      reply.error = "the endpoint withheld the reply: its filter took the prompt";
    else
      reply.error = "the reply has no choices" +
                    (reply.other_kind ? "; it begins with '" + shown(body, 80) + "'" : "");
  } else {
    read_choice(choice, reply);
  }
  return reply;
}

}  // namespace seawall
