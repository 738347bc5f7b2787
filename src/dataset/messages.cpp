#include "dataset/messages.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"

namespace seawall {
namespace {

using nlohmann::json;

/// Null, an empty text or an empty list: the key says nothing.
bool says_nothing(const json& value) {
  return value.is_null() || (value.is_string() && value.get_ref<const std::string&>().empty()) ||
         ((value.is_array() || value.is_object()) && value.empty());
}

std::string content_of(const json& message, const Place& place) {
  const auto found = message.find("content");
  if (found == message.end() || !found->is_array()) return text_of(message, "content", place);
  std::string text;
  for (std::size_t i = 0; i < found->size(); ++i) {
    const Place part{place.file, place.record + ", part " + std::to_string(i + 1)};
    const auto& each = (*found)[i];
    if (each.is_string()) {
      text += each.get<std::string>();
      continue;
    }
    const auto& type = text_of(each, "type", part);
    if (type != "text")
      throw Rejected{"content part " + std::to_string(i + 1) + " is of type '" + shown(type, 40) +
                     "', want text"};
    text += text_of(each, "text", part);
  }
  if (text.find('\0') != std::string::npos) place.fail("key 'content': a NUL character");
  return text;
}

Role role_of(const json& message, const Place& place, ReadReport& report) {
  const auto& role = text_of(message, "role", place);
  if (role == "developer") {
    report.note("role 'developer' read as system", place.record);
    return Role::system;
  }
  if (role != "system" && role != "user" && role != "assistant")
    place.fail("role '" + shown(role, 40) + "', want system, user or assistant");
  return role_from(role);
}

Loss loss_of(const json& message, Role role, const Place& place, ReadReport& report) {
  const auto found = message.find("weight");
  if (found == message.end() || found->is_null()) return Loss::by_place;
  const bool number = found->is_number() && (*found == 0 || *found == 1);
  if (!number) place.fail("key 'weight': want 0 (no loss on this answer) or 1");
  if (role != Role::assistant) {
    if (*found == 1) report.note("weight 1 of a turn that is no answer not used", place.record);
    return Loss::by_place;
  }
  return *found == 0 ? Loss::off : Loss::on;
}

/// Calls of tools, which the text alone does not show.
constexpr std::array<std::string_view, 3> calls{"tool_calls", "function_call", "tool_call_id"};
constexpr std::array<std::string_view, 4> understood{"role", "content", "weight", "prefix"};

void check_message_keys(const json& message, const Place& place, ReadReport& report) {
  for (const auto& [key, value] : message.items()) {
    if (says_nothing(value) || std::ranges::find(understood, key) != understood.end()) continue;
    if (std::ranges::find(calls, key) != calls.end())
      place.fail("key '" + key + "': calls of tools are not supported");
    report.note(is_name(key) ? "key '" + key + "' of a message not used"
                             : "another key of a message not used",
                place.record);
  }
}

void check_order(const std::vector<Message>& turns) {
  if (turns.empty()) throw Rejected{"no messages"};
  for (std::size_t i = 1; i < turns.size(); ++i) {
    if (turns[i].role == Role::system) throw Rejected{"a system message that is not the first"};
    if (turns[i].role == turns[i - 1].role) throw Rejected{"two turns of one role in a row"};
  }
  const std::size_t first = turns[0].role == Role::system ? 1 : 0;
  if (first == turns.size() || turns[first].role != Role::user)
    throw Rejected{"the first turn is not the user's"};
}

constexpr std::array<std::string_view, 2> tool_lists{"tools", "functions"};
constexpr std::array<std::string_view, 4> preferences{"chosen", "rejected", "preferred_output",
                                                      "non_preferred_output"};

}  // namespace

Dialogue dialogue_of(const json& messages, const Place& place, ReadReport& report) {
  if (!messages.is_array()) place.fail("want an array of messages {role, content}");
  Dialogue dialogue;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Place message{place.file, place.record + ", message " + std::to_string(i + 1)};
    const auto role = role_of(messages[i], message, report);
    check_message_keys(messages[i], message, report);
    try {
      dialogue.messages.push_back(
          {role, content_of(messages[i], message), loss_of(messages[i], role, message, report)});
    } catch (const Rejected& rejected) {
      throw Rejected{"message " + std::to_string(i + 1) + ": " + rejected.reason};
    }
  }
  check_order(dialogue.messages);
  return dialogue;
}

Dialogue dialogue_of_transcript(std::string_view text) {
  constexpr std::string_view human = "\n\nHuman:", assistant = "\n\nAssistant:";
  const auto trimmed = [](std::string_view part) {
    const auto begin = std::min(part.find_first_not_of(" \n"), part.size());
    return std::string(part.substr(begin, part.find_last_not_of(" \n") + 1 - begin));
  };
  if (!text.starts_with(human)) throw Rejected{"a transcript that does not begin with Human:"};
  Dialogue dialogue;
  while (!text.empty()) {
    const auto role = text.starts_with(human) ? Role::user : Role::assistant;
    text.remove_prefix(role == Role::user ? human.size() : assistant.size());
    const auto next = role == Role::user ? assistant : human;
    const auto end = std::min(text.find(next), text.size());
    dialogue.messages.push_back({role, trimmed(text.substr(0, end))});
    text.remove_prefix(end);
  }
  return dialogue;
}

void check_keys(const json& record, std::span<const std::string_view> used, bool training,
                const Place& place, ReadReport& report) {
  if (!record.is_object()) return;
  for (const auto& [key, value] : record.items()) {
    if (says_nothing(value) || std::ranges::find(used, key) != used.end()) continue;
    if (std::ranges::find(tool_lists, key) != tool_lists.end())
      throw Rejected{"key '" + key + "': tools are not supported"};
    if (training && std::ranges::find(preferences, key) != preferences.end())
      throw Rejected{"key '" + key + "': preference data; want rows of one answer"};
    report.note(is_name(key) ? "key '" + key + "' not used" : "another key not used", place.record);
  }
}

}  // namespace seawall
