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

FormatFound found(const ReaderEntry& reader, FileForm form) {
  constexpr std::array<std::string_view, 4> endings{"-json", "-jsonl", "-csv", "-lines"};
  return {std::string(reader.name) + std::string(endings[static_cast<std::size_t>(form)]), &reader,
          form};
}

/// The reader whose record this is; null if none claims it. Those of any keys are asked last, and
/// alone if the user names columns.
const ReaderEntry* reader_of(const json& record, const FormatWanted& wanted,
                             const ReaderCatalogue& readers) {
  for (const bool any_keys : {false, true}) {
    if (!any_keys && !wanted.columns.empty()) continue;
    for (const auto& reader : readers.entries())
      if (reader.reads(wanted.prompts) && reader.any_keys() == any_keys &&
          reader.is(any_keys ? lower_keys(record) : record, wanted))
        return &reader;
  }
  return nullptr;
}

/// What `of` gives for the readers of what is wanted, with commas between.
template <class F>
std::string listed(const FormatWanted& wanted, const ReaderCatalogue& readers, F&& of) {
  std::string text;
  for (const auto& reader : readers.entries()) {
    if (!reader.reads(wanted.prompts)) continue;
    const std::string one = of(reader);
    if (!one.empty()) text += (text.empty() ? "" : ", ") + one;
  }
  return text;
}

/// The names of the keys or columns that the readers of any keys look for.
std::string known_names(const FormatWanted& wanted, const ReaderCatalogue& readers) {
  return listed(wanted, readers, [](const ReaderEntry& reader) {
    return reader.any_keys() ? reader.known_names() : std::string();
  });
}

/// Keys of formats that are not read, named if a file has them.
constexpr std::array<std::string_view, 5> unsupported{"chosen", "rejected", "preferred_output",
                                                      "non_preferred_output", "completions"};

[[noreturn]] void fail_unknown(const SourceFile& file, const json& first,
                               const FormatWanted& wanted, const ReaderCatalogue& readers) {
  if (!wanted.columns.empty())
    throw DataError(file.path.string() + ": the first record has no keys '" +
                    std::string(wanted.columns) + "', which --" + wanted.option + "-column" +
                    (wanted.prompts ? "" : "s") + " names");
  std::string has;
  for (const auto key : unsupported)
    if (first.is_object() && first.contains(key))
      has += (has.empty() ? " but has " : ", ") + std::string(key);
  const auto keys = listed(wanted, readers,
                           [](const ReaderEntry& reader) { return std::string(reader.known_by); });
  throw DataError(file.path.string() + ": the first record has none of the known keys" + has +
                  "; want " + keys + (keys.empty() ? "" : ", ") + known_names(wanted, readers) +
                  (wanted.prompts
                       ? ", or name one with --" + wanted.option + "-column"
                       : ", or name two with --" + wanted.option + "-columns REQUEST,ANSWER"));
}

FormatFound of_record(const SourceFile& file, const json& first, FileForm form,
                      const FormatWanted& wanted, const ReaderCatalogue& readers) {
  if (!first.is_array() && !first.is_object() && !(wanted.prompts && first.is_string())) {
    throw DataError(file.path.string() + ": the first record is " + first.type_name() +
                    ", want an object or an array of messages");
  }
  if (const auto* reader = reader_of(first, wanted, readers)) return found(*reader, form);
  fail_unknown(file, first, wanted, readers);
}

/// The format of the first record that can be parsed. Errors: those of the first record if none
/// can.
FormatFound of_json(const SourceFile& file, const FormatWanted& wanted,
                    const ReaderCatalogue& readers) {
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
    return of_record(file, first, layout == JsonLayout::values ? FileForm::values : FileForm::array,
                     wanted, readers);
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

/// The reader that has one of the table's columns; null if none has.
const ReaderEntry* reader_of_table(const SourceFile& file, const FormatWanted& wanted,
                                   const ReaderCatalogue& readers) {
  for (const bool any_keys : {false, true}) {
    if (!any_keys && !wanted.columns.empty()) continue;
    for (const auto& reader : readers.entries()) {
      if (!reader.reads(wanted.prompts) || reader.headers == nullptr ||
          reader.any_keys() != any_keys)
        continue;
      const auto names = reader.headers(wanted.columns);
      const auto table =
          find_table(file, std::vector<std::string_view>(names.begin(), names.end()));
      if (table && reader.is(header_of(*table), wanted)) return &reader;
    }
  }
  return nullptr;
}

FormatFound of_text(const SourceFile& file, const FormatWanted& wanted,
                    const ReaderCatalogue& readers) {
  const auto path = file.path.string();
  if (const auto* reader = reader_of_table(file, wanted, readers))
    return found(*reader, FileForm::table);
  if (!wanted.prompts) {
    const auto what = looks_like_table(file);
    throw DataError(path + ": want JSON (an array), JSONL (an object per line) or a table with " +
                    known_names(wanted, readers) + ", found " +
                    (what ? *what + "; name two with --" + wanted.option + "-columns REQUEST,ANSWER"
                          : "other text"));
  }
  const auto name = cell_name(wanted.columns);
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
                    "-column NAME (known are " + known_names(wanted, readers) + "), or give --" +
                    wanted.option + "-format prompts-lines if each line is a prompt");
  for (const auto& reader : readers.entries())
    if (reader.ask != nullptr && reader.lines) return found(reader, FileForm::lines);
  throw DataError(path + ": want JSON (an array), JSONL (an object per line) or a table");
}

/// The format that `name` forces, or the error that lists those there are.
FormatFound forced(std::string_view name, const FormatWanted& wanted,
                   const ReaderCatalogue& readers) {
  std::vector<std::string> known;
  for (const auto& reader : readers.entries()) {
    if (!reader.reads(wanted.prompts)) continue;
    for (const auto form : {FileForm::array, FileForm::values, FileForm::table, FileForm::lines}) {
      if (form == FileForm::table && reader.headers == nullptr) continue;
      if (form == FileForm::lines && !reader.lines) continue;
      auto format = found(reader, form);
      if (format.name == name) return format;
      known.push_back(std::move(format.name));
    }
  }
  std::string names, near;
  for (const auto& one : known) {
    names += (names.empty() ? "" : ", ") + one;
    if (one.starts_with(std::string(name) + "-")) near += (near.empty() ? "" : " or ") + one;
  }
  throw UsageError("data format '" + std::string(name) + "' is not known" +
                   (near.empty() ? ", want" : "; did you mean " + near + "? Want") +
                   " one of: " + names);
}

}  // namespace

FormatFound detect_format(const SourceFile& file, std::string_view format,
                          const FormatWanted& wanted, const ReaderCatalogue& readers) {
  if (!format.empty()) return forced(format, wanted, readers);
  const auto extension = file.extension();
  const char first = file.text[file.text.find_first_not_of(" \t\r\n")];
  const bool plain =
      wanted.prompts && (extension == ".csv" || extension == ".tsv" || extension == ".txt");
  const bool bracket = first == '[' || first == '{';
  if (bracket && (!plain || begins_with_json(file))) return of_json(file, wanted, readers);
  if (wanted.prompts && first == '"' && (extension == ".json" || extension == ".jsonl"))
    return of_json(file, wanted, readers);
  return of_text(file, wanted, readers);
}

}  // namespace seawall
