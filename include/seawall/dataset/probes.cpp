#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "seawall/core/error.hpp"
#include "seawall/core/hash.hpp"
#include "seawall/dataset/csv.hpp"
#include "seawall/dataset/detect.hpp"
#include "seawall/dataset/readers.hpp"
#include "seawall/dataset/source.hpp"

namespace seawall {
namespace {

using nlohmann::json;

/// Gathers probes and counts records that cannot be used.
class ProbeList {
 public:
  ProbeList(ProbesFile& out, std::string stem, bool restricted)
      : out_(out), stem_(std::move(stem)), restricted_(restricted) {}

  void add(std::size_t number, Dialogue dialogue, std::string category) {
    if (dialogue.messages.back().role == Role::assistant)
      dialogue.messages.pop_back();  // a known answer
    if (dialogue.messages.empty() || dialogue.messages.back().role != Role::user)
      throw Rejected{"no user turn at the end"};
    if (blank(dialogue.messages.back().content)) throw Rejected{"an empty prompt"};
    out_.probes.push_back({.id = stem_ + "/" + std::to_string(number),
                           .category = std::move(category),
                           .dialogue = std::move(dialogue),
                           .restricted = restricted_,
                           .expected = {}});
  }
  void add_text(std::size_t number, std::string text, std::string category) {
    add(number, {{{Role::user, std::move(text)}}}, std::move(category));
  }

 private:
  ProbesFile& out_;
  std::string stem_;
  bool restricted_;
};

void add_record(ProbeList& list, const FormatFound& format, const json& record, std::size_t number,
                const Place& place) {
  if (format.shape == RecordShape::dialogue)
    return list.add(number, dialogue_of(record, place), "");
  if (record.is_string() && format.shape == RecordShape::prompt)
    return list.add_text(number, record.get<std::string>(), "");
  if (!record.is_object()) place.fail("want an object");
  auto category = optional_text(record, "category", place);
  if (format.shape == RecordShape::messages) {
    return list.add(number, dialogue_of(messages_of(record, place), place), std::move(category));
  }
  if (format.shape == RecordShape::transcript) {  // probed with what the human asked first
    auto dialogue = dialogue_of_transcript(text_of(record, "transcript", place));
    return list.add_text(number, dialogue.messages[0].content, std::move(category));
  }
  const auto* key = prompt_key(record);
  if (key == nullptr) place.fail("want one of the keys goal, instruction, prompt or text");
  auto text = text_of(record, key, place);
  for (const auto* more : {"input", "context"}) {  // of Alpaca and Dolly rows
    const auto context = optional_text(record, more, place);
    if (!context.empty()) text += "\n\n" + context;
  }
  list.add_text(number, std::move(text), std::move(category));
}

/// CSV with a header: the prompt column and, where there is one, the category column.
void add_csv(ProbeList& list, const SourceFile& file, ReadReport& report) {
  const auto column = prompt_column(file);
  if (!column)
    Place{file.path.string(), "line 1"}.fail("want a header with goal, instruction or prompt");
  const auto table = read_csv_table(file);
  const auto category = table.column("category");
  for (std::size_t i = 0; i < table.records.size(); ++i) {
    const auto& fields = table.records[i].fields;
    ++report.rows;
    if (blank(fields[*column])) {
      if (report.rejected++ == 0)
        report.first_rejection = table.place(i).record + ": an empty prompt";
      continue;
    }
    list.add_text(i + 1, fields[*column], category ? fields[*category] : "");
  }
}

ProbesFile read_file_of_probes(const std::filesystem::path& path, bool restricted,
                               std::string_view format) {
  const auto file = SourceFile::read(path);
  const auto found = detect_format(file, format, true);
  ProbesFile out;
  out.report.format = found.name;
  out.report.sha256 = file.sha256;
  ProbeList list(out, file.stem(), restricted);
  if (found.json) {
    for_each_json(file, found.lines, out.report,
                  [&](const json& record, std::size_t number, const Place& place) {
                    add_record(list, found, record, number, place);
                  });
  } else if (found.name == "prompts-csv") {
    add_csv(list, file, out.report);
  } else {
    const auto records = read_prompt_lines(file);
    for (std::size_t i = 0; i < records.size(); ++i) {
      ++out.report.rows;
      try {
        list.add_text(i + 1, records[i].fields[0], "");
      } catch (const Rejected& rejected) {  // a line of quotes with nothing in them
        if (out.report.rejected++ == 0)
          out.report.first_rejection =
              "line " + std::to_string(records[i].line) + ": " + rejected.reason;
      }
    }
  }
  check_not_empty(file, out.report, out.probes.size());
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
ProbesFile read_folder(const std::filesystem::path& folder, bool restricted,
                       std::string_view format) {
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
    auto file = read_file_of_probes(path, restricted, format);
    hash.field(path.filename().string()).field(file.report.sha256);
    all.report.rows += file.report.rows;
    if (all.report.rejected == 0 && file.report.rejected > 0) {
      all.report.first_rejection = path.filename().string() + ": " + file.report.first_rejection;
    }
    all.report.rejected += file.report.rejected;
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

ProbesFile read_probes(const std::filesystem::path& path, bool restricted,
                       std::string_view format) {
  ProbesFile file = std::filesystem::is_directory(path)
                        ? read_folder(path, restricted, format)
                        : read_file_of_probes(path, restricted, format);
  count_categories(file);
  return file;
}

}  // namespace seawall
