#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "dataset/columns.hpp"
#include "dataset/records.hpp"
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
  ProbeList(ProbesFile& out, std::string stem, const ProbeOptions& options)
      : out_(out), stem_(std::move(stem)), options_(options) {}

  void add(std::size_t number, Dialogue dialogue, std::string category, const Place& place) {
    auto& messages = dialogue.messages;
    if (messages.empty()) throw Rejected{"no messages"};
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

 private:
  ProbesFile& out_;
  std::string stem_;
  const ProbeOptions& options_;
};

ProbesFile read_file_of_probes(const std::filesystem::path& path, const ProbeOptions& options) {
  const auto file = SourceFile::read_records(path);
  const FormatWanted wanted{.prompts = true, .columns = options.column, .option = options.option};
  const auto found = detect_format(file, options.format, wanted, options.readers);
  ProbesFile out;
  out.report.format = found.name;
  out.report.form = found.reader->form;
  out.report.sha256 = file.sha256;
  ProbeList list(out, file.stem(), options);
  for_each_record(file, found, wanted, out.report,
                  [&](const json& record, std::size_t number, const Place& place) {
                    try {
                      auto dialogue = found.reader->ask(record, {.place = place,
                                                                 .report = out.report,
                                                                 .columns = options.column,
                                                                 .restricted = options.restricted,
                                                                 .context = options.context});
                      list.add(number, std::move(dialogue), category_of(record), place);
                    } catch (const LeftOut&) {
                      // ask has noted it
                    }
                  });
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
