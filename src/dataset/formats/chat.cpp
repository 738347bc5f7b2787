// Formats that hold whole dialogues: arrays of messages, chat records, red-team transcripts.
#include <nlohmann/json.hpp>

#include "dataset/columns.hpp"
#include "dataset/messages.hpp"
#include "seawall/dataset/formats.hpp"

namespace seawall {
namespace {

const Json& messages_of(const Json& record, const Place& place) {
  if (!has_keys(record, {"messages"})) place.fail("key 'messages' is missing, want an array");
  return record["messages"];
}

}  // namespace

bool Dialogues::is(const Json& record, const FormatWanted&) { return record.is_array(); }

Dialogue Dialogues::read(const Json& record, const Reading& reading) {
  return dialogue_of(record, reading.place, reading.report);
}

Dialogue Dialogues::ask(const Json& record, const Reading& reading) {
  return read(record, reading);
}

bool Chat::is(const Json& record, const FormatWanted&) { return has_keys(record, {"messages"}); }

Dialogue Chat::read(const Json& record, const Reading& reading) {
  return dialogue_of(messages_of(record, reading.place), reading.place, reading.report);
}

Dialogue Chat::ask(const Json& record, const Reading& reading) {
  if (!record.is_object()) reading.place.fail("want an object");
  check_keys(record, probe_keys, false, reading.place, reading.report);
  return read(record, reading);
}

bool RedTeam::is(const Json& record, const FormatWanted&) {
  return has_keys(record, {"transcript"});
}

Dialogue RedTeam::read(const Json& record, const Reading& reading) {
  return dialogue_of_transcript(text_of(record, "transcript", reading.place));
}

Dialogue RedTeam::ask(const Json& record, const Reading& reading) {
  if (!record.is_object()) reading.place.fail("want an object");
  auto dialogue = read(record, reading);
  dialogue.messages.resize(1);
  return dialogue;
}

}  // namespace seawall
