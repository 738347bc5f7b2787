#include "seawall/dataset/json_records.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "seawall/core/error.hpp"

namespace seawall {
namespace {

using nlohmann::json;

constexpr auto npos = std::string_view::npos;
constexpr const char* space = " \t\r\n";

/// The parser names the byte and the rule of a document that is wrong as a whole.
[[noreturn]] void fail_whole(const SourceFile& file) {
  parse_json(file.text, file.path.string());
  throw DataError(file.path.string() +
                  ": want an array of records, an object with one array of them, or one record "
                  "per line (JSONL)");
}

/// Where the members of an object begin, by key; empty if it is not well formed on the outside.
std::vector<std::pair<std::string, std::size_t>> members_of(std::string_view text,
                                                            std::size_t begin) {
  std::vector<std::pair<std::string, std::size_t>> members;
  for (auto at = text.find_first_not_of(space, begin + 1); at != npos;) {
    if (text[at] == '}') return members;
    if (text[at] != '"') return {};
    const auto key_end = json_value_end(text, at);
    if (key_end == npos) return {};
    std::string key(text.substr(at + 1, key_end - at - 2));
    at = text.find_first_not_of(space, key_end);
    if (at == npos || text[at] != ':') return {};
    at = text.find_first_not_of(space, at + 1);
    if (at == npos) return {};
    members.emplace_back(std::move(key), at);
    at = json_value_end(text, at);
    if (at == npos) return {};
    at = text.find_first_not_of(space, at);
    if (at != npos && text[at] == ',') at = text.find_first_not_of(space, at + 1);
  }
  return {};
}

/// Keys that an object has because it is a record, not because it holds records.
constexpr std::array<std::string_view, 21> record_keys{
    "messages", "conversations", "transcript",  "turns",      "tools",    "input",
    "role",     "goal",          "instruction", "prompt",     "question", "behavior",
    "text",     "output",        "response",    "completion", "answer",   "forbidden_prompt",
    "chosen",   "query",         "target"};

bool is_record_key(std::string key) {
  for (char& c : key)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return std::ranges::find(record_keys, key) != record_keys.end();
}

/// The array of records in a file that is one object; npos if it is a record itself, or has no or
/// several such arrays.
std::size_t member_array(std::string_view text, std::size_t begin) {
  const auto end = json_value_end(text, begin);
  if (end == npos || text.find_first_not_of(space, end) != npos) return npos;
  std::size_t found = npos;
  for (const auto& [key, at] : members_of(text, begin)) {
    if (is_record_key(key)) return npos;
    if (text[at] != '[') continue;
    const auto first = text.find_first_not_of(space, at + 1);
    if (first == npos || (text[first] != '{' && text[first] != '[' && text[first] != '"')) continue;
    if (found != npos) return npos;
    found = at;
  }
  return found;
}

/// True if the array that begins at `begin` holds messages, so that it is one dialogue.
bool holds_messages(const SourceFile& file, std::size_t begin) {
  const std::string_view text = file.text;
  const auto first = text.find_first_not_of(space, begin + 1);
  if (first == npos || text[first] != '{') return false;
  bool role = false, content = false;
  for (const auto& [key, at] : members_of(text, first)) {
    role = role || key == "role";
    content = content || key == "content";
  }
  return role && content;
}

std::vector<JsonRecord> elements(const SourceFile& file, std::size_t begin) {
  const std::string_view text = file.text;
  std::vector<JsonRecord> records;
  auto at = text.find_first_not_of(space, begin + 1);
  if (at != npos && text[at] == ']') return records;
  for (;;) {
    if (at == npos) fail_whole(file);
    const auto end = json_value_end(text, at);
    if (end == npos) fail_whole(file);
    const auto number = records.size() + 1;
    records.push_back({{at, end}, "record " + std::to_string(number), number});
    at = text.find_first_not_of(space, end);
    if (at != npos && text[at] == ']') return records;
    if (at == npos || text[at] != ',') fail_whole(file);
    at = text.find_first_not_of(space, at + 1);
  }
}

/// Where the value at `at` ends. One that does not end on its line goes on over the next lines; if
/// it is no JSON then, it is cut, and goes up to the next line that begins with a bracket.
std::size_t end_of_value(std::string_view text, std::size_t at, std::size_t line_end) {
  if (text[at] != '{' && text[at] != '[') return line_end;
  const auto end = json_value_end(text, at);
  if (end != npos && (end <= line_end || json::accept(text.substr(at, end - at)))) return end;
  return std::min({text.find("\n{", at), text.find("\n[", at), text.size()});
}

/// Values one after another.
std::vector<JsonRecord> values(const SourceFile& file) {
  const std::string_view text = file.text;
  std::vector<JsonRecord> records;
  std::size_t line = 1, counted = 0;
  for (auto at = text.find_first_not_of(space); at != npos;) {
    line +=
        static_cast<std::size_t>(std::count(text.begin() + static_cast<std::ptrdiff_t>(counted),
                                            text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
    counted = at;
    const auto line_end = std::min(text.find('\n', at), text.size());
    auto end = end_of_value(text, at, line_end);
    // What follows on the line belongs to the record if it is no other value: the parser names it.
    const auto rest = text.find_first_not_of(" \t\r", end);
    if (rest < text.size() && text[rest] != '\n' && text[rest] != '{' && text[rest] != '[')
      end = std::min(text.find('\n', rest), text.size());
    records.push_back({{at, end}, "line " + std::to_string(line), line});
    at = text.find_first_not_of(space, end);
  }
  return records;
}

/// The text with every NaN outside of texts replaced by null; the number of places in `count`.
std::string without_nan(std::string_view text, std::size_t& count) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '"') {
      const auto end = json_value_end(text, i);
      if (end == npos) return std::string(text);
      out += text.substr(i, end - i);
      i = end;
    } else if (text.substr(i, 3) == "NaN" && (out.empty() || out.back() != '-')) {
      out += "null";
      i += 3;
      ++count;
    } else {
      out += text[i++];
    }
  }
  return out;
}

}  // namespace

JsonLayout json_layout(const SourceFile& file) {
  const std::string_view text = file.text;
  const auto begin = text.find_first_not_of(space);
  if (text[begin] == '{')
    return member_array(text, begin) == npos ? JsonLayout::values : JsonLayout::array;
  if (text[begin] != '[') return JsonLayout::values;
  if (holds_messages(file, begin)) return JsonLayout::values;
  const auto end = json_value_end(text, begin);
  if (end == npos) return JsonLayout::array;
  const auto after = text.find_first_not_of(space, end);
  return after != npos && text[after] == '[' ? JsonLayout::values : JsonLayout::array;
}

std::vector<JsonRecord> json_records(const SourceFile& file, JsonLayout layout) {
  if (layout == JsonLayout::values) return values(file);
  const std::string_view text = file.text;
  const auto begin = text.find_first_not_of(space);
  const auto array = text[begin] == '['   ? begin
                     : text[begin] == '{' ? member_array(text, begin)
                                          : npos;
  if (array == npos) fail_whole(file);
  auto records = elements(file, array);
  const auto end = json_value_end(text, begin);
  if (end == npos || text.find_first_not_of(space, end) != npos) fail_whole(file);
  return records;
}

json parse_record(const SourceFile& file, const JsonRecord& record, ReadReport& report) {
  const auto where = file.path.string() + ": " + record.place;
  try {
    auto parsed = parse_json(file.text, record.part, where);
    // As the Hugging Face data viewer's API gives rows.
    if (parsed.is_object() && parsed.contains("row_idx") && parsed.contains("row")) {
      json row = std::move(parsed["row"]);
      return row;
    }
    return parsed;
  } catch (const DataError&) {
    std::size_t count = 0;
    const auto own =
        std::string_view(file.text).substr(record.part.begin, record.part.end - record.part.begin);
    const auto mended = without_nan(own, count);
    if (count == 0 || !json::accept(mended)) throw;
    report.note("NaN read as null", record.place);
    return parse_json(mended, where);
  }
}

void for_each_json(const SourceFile& file, JsonLayout layout, ReadReport& report, OddRecords odd,
                   const VisitJson& visit) {
  const auto name = file.path.string();
  for (const auto& record : json_records(file, layout)) {
    ++report.rows;
    try {
      const auto own = std::string_view(file.text).substr(record.part.begin,
                                                          record.part.end - record.part.begin);
      if (auto wrong = file.not_utf8(own); !wrong.empty()) throw Rejected{std::move(wrong)};
      visit(parse_record(file, record, report), record.number, {name, record.place});
    } catch (const Rejected& rejected) {
      report.reject(record.place + ": " + rejected.reason);
    } catch (const DataError& error) {
      if (odd == OddRecords::fail) throw;
      const std::string what = error.what();
      report.reject(what.starts_with(name + ": ") ? what.substr(name.size() + 2) : what);
    }
  }
}

}  // namespace seawall
