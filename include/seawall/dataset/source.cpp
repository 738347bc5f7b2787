#include "seawall/dataset/source.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/core/json.hpp"
#include "seawall/core/text.hpp"
#include "seawall/dataset/gzip.hpp"

namespace seawall {
namespace {

constexpr std::uint64_t max_file = std::uint64_t{512} << 20;

std::string line_of(std::string_view text, std::size_t at) {
  return "line " +
         std::to_string(
             1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
}

void visit_one(const nlohmann::json& record, std::size_t number, const Place& place,
               ReadReport& report,
               const std::function<void(const nlohmann::json&, std::size_t, const Place&)>& visit) {
  ++report.rows;
  try {
    visit(record, number, place);
  } catch (const Rejected& rejected) {
    if (report.rejected++ == 0) report.first_rejection = place.record + ": " + rejected.reason;
  }
}

}  // namespace

void Place::fail(const std::string& what) const {
  throw DataError(file + (record.empty() ? "" : ": " + record) + ": " + what);
}

SourceFile SourceFile::read(const std::filesystem::path& path) {
  SourceFile file{.path = path, .text = read_file(path, max_file), .sha256 = {}};
  file.sha256 = sha256_hex(file.text);
  if (file.text.starts_with("\x1F\x8B")) file.text = unpack_gzip(file.text, path, max_file);
  if (file.text.starts_with("\xEF\xBB\xBF")) file.text.erase(0, 3);
  if (const auto at = find_invalid_utf8(file.text)) {
    throw DataError(path.string() + ": " + line_of(file.text, *at) + ": not UTF-8 at byte " +
                    std::to_string(*at) + "; convert the file to UTF-8");
  }
  if (const auto at = file.text.find('\0'); at != std::string::npos) {
    throw DataError(path.string() + ": " + line_of(file.text, at) +
                    ": a NUL byte; want a text file");
  }
  if (blank(file.text)) throw DataError(path.string() + ": the file is empty");
  return file;
}

std::string SourceFile::stem() const {
  return (path.extension() == ".gz" ? path.stem() : path).stem().string();
}

void for_each_json(
    const SourceFile& file, bool lines, ReadReport& report,
    const std::function<void(const nlohmann::json&, std::size_t, const Place&)>& visit) {
  const auto name = file.path.string();
  if (!lines) {
    const auto document = parse_json(file.text, name);
    if (!document.is_array()) throw DataError(name + ": want a JSON array at the top");
    for (std::size_t i = 0; i < document.size(); ++i) {
      visit_one(document[i], i + 1, {name, "record " + std::to_string(i + 1)}, report, visit);
    }
    return;
  }
  std::string_view rest = file.text;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const auto end = std::min(rest.find('\n'), rest.size());
    const auto line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (blank(line)) continue;
    const Place place{name, "line " + std::to_string(number)};
    visit_one(parse_json(line, name + ": line " + std::to_string(number)), number, place, report,
              visit);
  }
}

const std::string& text_of(const nlohmann::json& record, const char* key, const Place& place) {
  if (!record.is_object()) place.fail("want an object with '" + std::string(key) + "'");
  const auto found = record.find(key);
  if (found == record.end()) place.fail("key '" + std::string(key) + "' is missing, want a text");
  if (!found->is_string()) {
    place.fail("key '" + std::string(key) + "': want a text, found " + found->type_name());
  }
  const auto& text = found->get_ref<const std::string&>();
  if (text.find('\0') != std::string::npos)
    place.fail("key '" + std::string(key) + "': a NUL character");
  return text;
}

std::string optional_text(const nlohmann::json& record, const char* key, const Place& place) {
  const auto found = record.find(key);
  return found == record.end() || found->is_null() ? "" : text_of(record, key, place);
}

Dialogue dialogue_of(const nlohmann::json& messages, const Place& place) {
  if (!messages.is_array()) place.fail("want an array of messages {role, content}");
  Dialogue dialogue;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Place message{place.file, place.record + ", message " + std::to_string(i + 1)};
    const auto& role = text_of(messages[i], "role", message);
    if (role != "system" && role != "user" && role != "assistant") {
      message.fail("role '" + shown(role, 40) + "', want system, user or assistant");
    }
    dialogue.messages.push_back({role_from(role), text_of(messages[i], "content", message)});
  }
  const auto& turns = dialogue.messages;
  if (turns.empty()) throw Rejected{"no messages"};
  for (std::size_t i = 0; i < turns.size(); ++i) {
    if (i > 0 && turns[i].role == Role::system)
      throw Rejected{"a system message that is not the first"};
    if (i > 0 && turns[i].role == turns[i - 1].role)
      throw Rejected{"two turns of one role in a row"};
  }
  const std::size_t first = turns[0].role == Role::system ? 1 : 0;
  if (first == turns.size() || turns[first].role != Role::user)
    throw Rejected{"the first turn is not the user's"};
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

bool blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos;
}

void check_not_empty(const SourceFile& file, const ReadReport& report, std::size_t usable) {
  if (usable > 0) return;
  throw DataError(
      file.path.string() + ": no usable " +
      (report.rows == 0 ? "record: the set is empty" : "record; " + report.first_rejection));
}

}  // namespace seawall
