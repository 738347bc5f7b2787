#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "dataset/messages.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/text.hpp"
#include "seawall/dataset/formats.hpp"

namespace seawall {
namespace {

/// The turns as messages of {role, content}.
Json turns_as_messages(const Json& turns, const Place& place) {
  Json messages = Json::array();
  for (std::size_t i = 0; i < turns.size(); ++i) {
    const Place turn{place.file, place.record + ", turn " + std::to_string(i + 1)};
    const auto& from = text_of(turns[i], "from", turn);
    const bool user = from == "human" || from == "user",
               answer =
                   from == "gpt" || from == "assistant" || from == "chatgpt" || from == "model";
    if (!user && !answer && from != "system")
      turn.fail("from '" + shown(from, 40) + "', want human or gpt");
    Json message{{"role", user     ? "user"
                          : answer ? "assistant"
                                   : "system"},
                 {"content", text_of(turns[i], "value", turn)}};
    if (turns[i].contains("weight")) message["weight"] = turns[i]["weight"];
    messages.push_back(std::move(message));
  }
  return messages;
}

/// Puts the mark of the picture to the front of the first human turn, and the picture in.
void show_picture(Dialogue& dialogue, const std::string& name, const Reading& reading) {
  if (reading.images.empty())
    throw UsageError(reading.place.file + ": " + reading.place.record +
                     ": names a picture; give the folder they lie in with --images");
  const std::filesystem::path relative(name);
  if (relative.is_absolute() || std::ranges::find(relative, "..") != relative.end())
    throw Rejected{"image '" + shown(name) + "': want a path within the folder of images"};
  if (!std::filesystem::is_regular_file(reading.images / relative))
    throw Rejected{"image '" + shown(name) + "' is not in " + reading.images.string()};
  const auto user = std::ranges::find(dialogue.messages, Role::user, &Message::role);
  const auto at = user->content.find(picture_placeholder);
  if (at == std::string::npos) throw Rejected{"an image, but no <image> in the first human turn"};
  user->content.erase(at, picture_placeholder.size());
  const auto begin = std::min(user->content.find_first_not_of(" \n"), user->content.size());
  user->content.erase(0, begin).erase(user->content.find_last_not_of(" \n") + 1);
  if (user->content.find(picture_placeholder) != std::string::npos)
    throw Rejected{"more than one <image> in a turn"};
  user->content.insert(0, std::string(picture_placeholder) + "\n");
  dialogue.picture = std::make_shared<Picture>(reading.images / relative);
}

}  // namespace

bool Llava::is(const Json& record, const FormatWanted&) {
  return has_keys(record, {"conversations"});
}

Dialogue Llava::read(const Json& record, const Reading& reading) {
  const auto& place = reading.place;
  const auto found = record.find("conversations");
  if (found == record.end() || !found->is_array())
    place.fail("key 'conversations': want an array of {from, value}");
  if (!found->empty() && found->front().is_object() && found->front().contains("role"))
    return dialogue_of(*found, place, reading.report);
  Dialogue dialogue = dialogue_of(turns_as_messages(*found, place), place, reading.report);
  if (const auto system = optional_text(record, "system", place);
      !system.empty() && dialogue.first(Role::system).empty())
    dialogue.set_system(system);
  const auto name = optional_text(record, "image", place);
  if (!name.empty()) show_picture(dialogue, name, reading);
  return dialogue;
}

}  // namespace seawall
