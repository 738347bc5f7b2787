#include "seawall/dataset/detect.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "dataset/columns.hpp"
#include "dataset/encoding.hpp"
#include "seawall/core/error.hpp"
#include "seawall/dataset/csv.hpp"

namespace seawall {
namespace {

using nlohmann::json;

struct Known {
  std::string_view name;
  RecordShape shape;
  bool json, lines;
};
constexpr std::array<Known, 19> formats{{{"dialogues-json", RecordShape::dialogue, true, false},
                                         {"dialogues-jsonl", RecordShape::dialogue, true, true},
                                         {"chat-json", RecordShape::messages, true, false},
                                         {"chat-jsonl", RecordShape::messages, true, true},
                                         {"alpaca-json", RecordShape::alpaca, true, false},
                                         {"alpaca-jsonl", RecordShape::alpaca, true, true},
                                         {"dolly-json", RecordShape::dolly, true, false},
                                         {"dolly-jsonl", RecordShape::dolly, true, true},
                                         {"llava-json", RecordShape::llava, true, false},
                                         {"llava-jsonl", RecordShape::llava, true, true},
                                         {"red-team-json", RecordShape::transcript, true, false},
                                         {"red-team-jsonl", RecordShape::transcript, true, true},
                                         {"pairs-json", RecordShape::pair, true, false},
                                         {"pairs-jsonl", RecordShape::pair, true, true},
                                         {"pairs-csv", RecordShape::pair, false, false},
                                         {"prompts-json", RecordShape::prompt, true, false},
                                         {"prompts-jsonl", RecordShape::prompt, true, true},
                                         {"prompts-csv", RecordShape::prompt, false, false},
                                         {"prompts-lines", RecordShape::prompt, false, false}}};

FormatFound found(std::string_view name) {
  const auto known = std::ranges::find(formats, name, &Known::name);
  return {std::string(name), known->shape, known->json,
          known->lines ? JsonLayout::values : JsonLayout::array};
}

RecordShape shape_of(const json& record, const FormatWanted& wanted) {
  const bool prompts = wanted.prompts;
  if (!wanted.columns.empty()) return prompts ? RecordShape::prompt : RecordShape::pair;
  if (record.is_array()) return RecordShape::dialogue;
  if (record.contains("messages")) return RecordShape::messages;
  if (record.contains("transcript")) return RecordShape::transcript;
  if (!prompts && record.contains("conversations")) return RecordShape::llava;
  if (!prompts && record.contains("instruction") && record.contains("output"))
    return RecordShape::alpaca;
  if (!prompts && record.contains("instruction") && record.contains("response"))
    return RecordShape::dolly;
  return prompts ? RecordShape::prompt : RecordShape::pair;
}

/// Keys of formats that are not read, named if a file has them.
constexpr std::array<std::string_view, 5> unsupported{"chosen", "rejected", "preferred_output",
                                                      "non_preferred_output", "completions"};

[[noreturn]] void fail_unknown(const SourceFile& file, const json& first,
                               const FormatWanted& wanted) {
  if (!wanted.columns.empty())
    throw DataError(file.path.string() + ": the first record has no keys '" +
                    std::string(wanted.columns) + "', which --" + wanted.option + "-column" +
                    (wanted.prompts ? "" : "s") + " names");
  std::string has;
  for (const auto key : unsupported)
    if (first.is_object() && first.contains(key))
      has += (has.empty() ? " but has " : ", ") + std::string(key);
  throw DataError(
      file.path.string() + ": the first record has none of the known keys" + has + "; want " +
      (wanted.prompts ? "messages, transcript, " + prompt_names() + ", or name one with --" +
                            wanted.option + "-column"
                      : "messages, transcript, conversations, " + known_pairs() +
                            ", or name two with --" + wanted.option + "-columns REQUEST,ANSWER"));
}

FormatFound of_record(const SourceFile& file, const json& first, bool lines,
                      const FormatWanted& wanted) {
  if (!first.is_array() && !first.is_object() && !(wanted.prompts && first.is_string())) {
    throw DataError(file.path.string() + ": the first record is " + first.type_name() +
                    ", want an object or an array of messages");
  }
  const auto shape = shape_of(first, wanted);
  const bool usable =
      shape == RecordShape::prompt
          ? first.is_string() || prompt_key(lower_keys(first), wanted.columns).has_value()
          : shape != RecordShape::pair || pair_keys(lower_keys(first), wanted.columns).has_value();
  for (const auto& known : formats) {
    if (usable && known.json && known.shape == shape && known.lines == lines)
      return found(known.name);
  }
  fail_unknown(file, first, wanted);
}

/// The format of the first record that can be parsed. Errors: those of the first record if none
/// can.
FormatFound of_json(const SourceFile& file, const FormatWanted& wanted) {
  const auto layout = json_layout(file);
  const auto records = json_records(file, layout);
  if (records.empty()) throw DataError(file.path.string() + ": the set is empty");
  ReadReport ignored;
  for (const auto& record : records) {
    json first;
    try {
      first = parse_record(file, record, ignored);
    } catch (const DataError&) {
      continue;
    }
    return of_record(file, first, layout == JsonLayout::values, wanted);
  }
  if (!file.utf8)
    throw DataError(file.path.string() + ": no record in it is JSON in UTF-8; " +
                    encoding_hint(file.text, file.path.string()));
  parse_record(file, records.front(), ignored);
  throw DataError(file.path.string() + ": no record in it is JSON");
}

/// Whether a text file of prompts is JSON all the same: a prompt may begin with a bracket.
bool begins_with_json(const SourceFile& file) {
  const std::string_view text = file.text;
  const auto begin = text.find_first_not_of(" \t\r\n");
  const auto end = json_value_end(text, begin);
  if (end == std::string_view::npos) return false;
  const auto first = json::parse(text.substr(begin, end - begin), nullptr, false);
  return (first.is_object() && !first.empty()) ||
         (first.is_array() && !first.empty() && first[0].is_structured());
}

FormatFound of_text(const SourceFile& file, const FormatWanted& wanted) {
  const auto path = file.path.string();
  if (!wanted.prompts) {
    const auto names = pair_names(wanted.columns);
    const std::vector<std::string_view> known(names.begin(), names.end());
    const auto table = find_table(file, known);
    if (table && pair_columns(table->names, wanted.columns)) return found("pairs-csv");
    const auto what = looks_like_table(file);
    throw DataError(path + ": want JSON (an array), JSONL (an object per line) or a table with " +
                    known_pairs() + ", found " +
                    (what ? *what + "; name two with --" + wanted.option + "-columns REQUEST,ANSWER"
                          : "other text"));
  }
  const auto name = cell_name(wanted.columns);
  const std::vector<std::string_view> own{name};
  if (find_table(file, name.empty() ? std::span<const std::string_view>(kPromptNames) : own))
    return found("prompts-csv");
  const auto extension = file.extension();
  if (extension == ".json" || extension == ".jsonl") {
    ReadReport ignored;
    for (const auto& record : json_records(file, JsonLayout::values))
      parse_record(file, record, ignored);  // says which byte is wrong
  }
  const auto what = looks_like_table(file);
  if (!name.empty())
    throw DataError(path + ": no column '" + name + "' in " +
                    (what ? *what : std::string("it; it is no table")));
  if (what)
    throw DataError(path + ": " + *what +
                    ", none of which is known to hold prompts; name one with --" + wanted.option +
                    "-column NAME (known are " + prompt_names() + "), or give --" + wanted.option +
                    "-format prompts-lines if each line is a prompt");
  return found("prompts-lines");
}

}  // namespace

const json& messages_of(const json& record, const Place& place) {
  if (!record.is_object() || !record.contains("messages"))
    place.fail("key 'messages' is missing, want an array");
  return record["messages"];
}

FormatFound detect_format(const SourceFile& file, std::string_view format,
                          const FormatWanted& wanted) {
  if (!format.empty()) {
    std::string names;
    for (const auto& known : formats) {
      if (wanted.prompts ? known.shape == RecordShape::pair : known.shape == RecordShape::prompt)
        continue;
      if (known.name == format) return found(format);
      names += (names.empty() ? "" : ", ") + std::string(known.name);
    }
    throw UsageError("data format '" + std::string(format) +
                     "' is not known, want one of: " + names);
  }
  const auto extension = file.extension();
  const char first = file.text[file.text.find_first_not_of(" \t\r\n")];
  const bool plain =
      wanted.prompts && (extension == ".csv" || extension == ".tsv" || extension == ".txt");
  const bool bracket = first == '[' || first == '{';
  if (bracket && (!plain || begins_with_json(file))) return of_json(file, wanted);
  if (wanted.prompts && first == '"' && (extension == ".json" || extension == ".jsonl"))
    return of_json(file, wanted);
  return of_text(file, wanted);
}

}  // namespace seawall
