#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "dataset/columns.hpp"
#include "dataset/messages.hpp"
#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/dataset/csv.hpp"
#include "seawall/dataset/detect.hpp"
#include "seawall/dataset/json_records.hpp"
#include "seawall/dataset/readers.hpp"
#include "seawall/dataset/source.hpp"

namespace seawall {
namespace {

using nlohmann::json;

/// Gathers probes and counts records that cannot be used.
class ProbeList {
 public:
  ProbeList(ProbesFile& out, std::string stem, const ProbeOptions& options)
      : out_(out), stem_(std::move(stem)), options_(options) {}

  const ProbeOptions& options() const { return options_; }
  ReadReport& report() { return out_.report; }

  void add(std::size_t number, Dialogue dialogue, std::string category, const Place& place) {
    auto& messages = dialogue.messages;
    for (auto& message : messages) message.loss = Loss::by_place;
    if (messages.back().role == Role::assistant && blank(messages.back().content))
      messages.pop_back();  // the place of the answer
    if (!options_.prefill && messages.back().role == Role::assistant) {
      messages.pop_back();
      out_.report.note("last turn of the assistant left out", place.record);
    }
    const bool prefilled = messages.back().role == Role::assistant;
    if (blank(dialogue.last(Role::user))) throw Rejected{"an empty prompt"};
    if (!prefilled && messages.back().role != Role::user) throw Rejected{"no user turn at the end"};
    out_.report.prefilled += prefilled;
    out_.probes.push_back({.id = stem_ + "/" + std::to_string(number),
                           .category = std::move(category),
                           .dialogue = std::move(dialogue),
                           .restricted = options_.restricted,
                           .expected = {}});
  }
  void add_text(std::size_t number, std::string text, std::string category, const Place& place) {
    add(number, {{{Role::user, std::move(text)}}}, std::move(category), place);
  }

 private:
  ProbesFile& out_;
  std::string stem_;
  const ProbeOptions& options_;
};

constexpr std::array<std::string_view, 13> prompt_keys_used{
    "messages",       "transcript", "category", "semanticcategory", "semantic_category",
    "risk_area",      "type",       "input",    "context",          "contextstring",
    "context_string", "tags",       "rating"};

/// HarmBench's context before the behaviour, as its DirectRequest writes them. False if the record
/// is left out.
bool with_context(const json& record, ProbeList& list, std::string& text, const Place& place) {
  for (const auto* key : {"contextstring", "context_string"}) {
    const auto context = optional_text(record, key, place);
    if (blank(context)) continue;
    if (list.options().context == ContextUse::ask)
      throw UsageError(place.file + ": " + place.record +
                       ": has a context (HarmBench's contextual behaviours); give "
                       "--probes-context put to put it before the behaviour as HarmBench does, or "
                       "leave-out to leave such records out");
    if (list.options().context == ContextUse::leave_out) {
      list.report().note("record with a context left out", place.record);
      return false;
    }
    text.insert(0, context + "\n\n---\n\n");
  }
  return true;
}

/// A record that has the prompt under a key.
void add_keyed(ProbeList& list, const json& record, std::size_t number, const Place& place) {
  const auto& column = list.options().column;
  const auto key = prompt_key(record, column);
  if (!key)
    place.fail(column.empty() ? "want one of the keys " + prompt_names()
                              : "has no key '" + cell_name(column) + "'");
  std::vector<std::string_view> used(prompt_keys_used.begin(), prompt_keys_used.end());
  used.push_back(*key);
  check_keys(record, used, false, place, list.report());
  if (const auto& value = record.at(*key);
      value.is_array() && !value.empty() && value.front().is_object())  // as TRL's prompts
    return list.add(number, dialogue_of(value, place, list.report()), category_of(record), place);
  auto text = prompt_of(record, *key, place);
  if (blank(text)) throw Rejected{"an empty prompt"};
  for (const auto* more : {"input", "context"}) {  // of Alpaca and Dolly rows
    const auto context = *key == more ? "" : optional_text(record, more, place);
    if (!context.empty()) text += "\n\n" + context;
  }
  if (!with_context(record, list, text, place)) return;
  const auto label = record.find("label");
  if (label != record.end() && *label == "safe" && list.options().restricted)
    list.report().note("prompt labelled safe, which a model should answer", place.record);
  list.add_text(number, std::move(text), category_of(record), place);
}

void add_record(ProbeList& list, const FormatFound& format, const json& record, std::size_t number,
                const Place& place) {
  if (format.shape == RecordShape::dialogue)
    return list.add(number, dialogue_of(record, place, list.report()), "", place);
  if (record.is_string() && format.shape == RecordShape::prompt)
    return list.add_text(number, record.get<std::string>(), "", place);
  if (!record.is_object()) place.fail("want an object");
  if (format.shape == RecordShape::messages) {
    check_keys(record, prompt_keys_used, false, place, list.report());
    return list.add(number, dialogue_of(messages_of(record, place), place, list.report()),
                    category_of(record), place);
  }
  if (format.shape == RecordShape::transcript) {  // probed with what the human asked first
    auto dialogue = dialogue_of_transcript(text_of(record, "transcript", place));
    return list.add_text(number, dialogue.messages[0].content, category_of(record), place);
  }
  add_keyed(list, lower_keys(record), number, place);
}

/// A table with a header: the prompt column and, where there is one, the category column.
void add_table(ProbeList& list, const SourceFile& file) {
  const auto column = cell_name(list.options().column);
  const std::vector<std::string_view> own{column};
  const auto table =
      find_table(file, column.empty() ? std::span<const std::string_view>(kPromptNames) : own);
  if (!table)
    Place{file.path.string(), "line 1"}.fail(
        "want a header with " + (column.empty() ? "one of " + prompt_names() : column));
  auto& report = list.report();
  for (std::size_t i = 0; i < table->records.size(); ++i) {
    ++report.rows;
    const auto place = table->place(i);
    try {
      if (auto wrong = file.not_utf8(table->records[i].raw); !wrong.empty())
        throw Rejected{std::move(wrong)};
      if (auto wrong = table->wrong_width(i); !wrong.empty()) throw Rejected{std::move(wrong)};
      const auto record = record_of(*table, i);
      if (i == 0) report.columns = prompt_key(record, column).value_or("");
      add_keyed(list, record, i + 1, place);
    } catch (const Rejected& rejected) {
      report.reject(place.record + ": " + rejected.reason);
    }
  }
}

void add_lines(ProbeList& list, const SourceFile& file) {
  const auto records = read_prompt_lines(file);
  for (std::size_t i = 0; i < records.size(); ++i) {
    ++list.report().rows;
    const Place place{file.path.string(), "line " + std::to_string(records[i].line)};
    try {
      if (auto wrong = file.not_utf8(records[i].raw); !wrong.empty())
        throw Rejected{std::move(wrong)};
      list.add_text(i + 1, records[i].fields[0], "", place);
    } catch (const Rejected& rejected) {  // a line of quotes with nothing in them
      list.report().reject(place.record + ": " + rejected.reason);
    }
  }
}

ProbesFile read_file_of_probes(const std::filesystem::path& path, const ProbeOptions& options) {
  const auto file = SourceFile::read_records(path);
  const auto found = detect_format(
      file, options.format, {.prompts = true, .columns = options.column, .option = options.option});
  ProbesFile out;
  out.report.format = found.name;
  out.report.sha256 = file.sha256;
  ProbeList list(out, file.stem(), options);
  if (found.json) {
    for_each_json(file, found.layout, out.report, OddRecords::count,
                  [&](const json& record, std::size_t number, const Place& place) {
                    add_record(list, found, record, number, place);
                  });
  } else if (found.name == "prompts-csv") {
    add_table(list, file);
  } else {
    add_lines(list, file);
  }
  check_rejected(file, out.report, out.probes.size(), options.max_rejected);
  return out;
}

/// The categories of HEx-PHI, whose files are category_1.csv to category_11.csv (Qi et al. 2023,
/// table 6).
constexpr std::array<std::string_view, 11> hex_phi{
    "illegal activity",      "child abuse content", "hate, harassment, violence", "malware",
    "physical harm",         "economic harm",       "fraud and deception",        "adult content",
    "political campaigning", "privacy violation",   "tailored financial advice"};

/// N of `category_N`, `category-N`, `category N` or `categoryN`; 0 where the stem is another.
std::size_t category_number(std::string_view stem) {
  const auto name = cell_name(stem);
  std::string_view rest = name;
  if (!rest.starts_with("category")) return 0;
  rest.remove_prefix(8);
  if (!rest.empty() && (rest[0] == '_' || rest[0] == '-' || rest[0] == ' ')) rest.remove_prefix(1);
  std::size_t number = 0;
  const auto [end, code] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  return code == std::errc() && end == rest.data() + rest.size() ? number : 0;
}

/// A folder of CSV files; a file's name is the category of its probes where they have none.
ProbesFile read_folder(const std::filesystem::path& folder, const ProbeOptions& options) {
  std::set<std::pair<std::size_t, std::filesystem::path>> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".csv")
      files.emplace(category_number(entry.path().stem().string()), entry.path());
  }
  if (files.empty())
    throw IoError(folder.string() + ": want a file of probes, or .csv files in it");
  ProbesFile all;
  all.report.format = "folder";
  Sha256 hash;
  bool paper = true;
  for (const auto& [number, path] : files) {
    auto file = read_file_of_probes(path, options);
    hash.field(path.filename().string()).field(file.report.sha256);
    all.report.rows += file.report.rows;
    if (all.report.rejected == 0 && file.report.rejected > 0) {
      all.report.first_rejection = path.filename().string() + ": " + file.report.first_rejection;
    }
    all.report.rejected += file.report.rejected;
    all.report.prefilled += file.report.prefilled;
    for (const auto& note : file.report.notes)
      all.report.note(note.what, path.filename().string() + ": " + note.first, note.count);
    const bool named = number >= 1 && number <= hex_phi.size();
    paper = paper && named;
    for (auto& probe : file.probes) {
      if (probe.category.empty())
        probe.category = named ? std::string(hex_phi[number - 1]) : path.stem().string();
      all.probes.push_back(std::move(probe));
    }
  }
  if (paper) all.report.format = "hex-phi";
  all.report.sha256 = hash.hex();
  return all;
}

void count_categories(ProbesFile& file) {
  for (const auto& probe : file.probes) {
    auto& counts = file.report.categories;
    const auto known =
        std::ranges::find(counts, probe.category, &std::pair<std::string, std::size_t>::first);
    if (known == counts.end())
      counts.emplace_back(probe.category, 1);
    else
      ++known->second;
  }
}

}  // namespace

ContextUse context_use_from(std::string_view name) {
  if (name == "ask") return ContextUse::ask;
  if (name == "put") return ContextUse::put;
  if (name == "leave-out") return ContextUse::leave_out;
  throw UsageError("probes-context: want ask, put or leave-out, got '" + std::string(name) + "'");
}

ProbesFile read_probes(const std::filesystem::path& path, const ProbeOptions& options) {
  ProbesFile file = std::filesystem::is_directory(path) ? read_folder(path, options)
                                                        : read_file_of_probes(path, options);
  count_categories(file);
  return file;
}

ProbesFile read_probes(const std::filesystem::path& path, bool restricted,
                       std::string_view format) {
  return read_probes(path, ProbeOptions{.restricted = restricted, .format = std::string(format)});
}

}  // namespace seawall
