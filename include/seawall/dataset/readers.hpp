#pragma once
// The user's own files as rows and probes, by path only; nothing of them is ever copied into a
// message or a log, except names of columns and keys.
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/core/dialogue.hpp"
#include "seawall/dataset/reader_policy.hpp"

namespace seawall {

struct RowsFile {
  Dataset dataset;
  ReadReport report;
};
struct RowFilter;
struct ProbesFile {
  std::vector<Probe> probes;
  ReadReport report;
};

/// Reads training rows; the format is detected from content, or forced by `format` ("" detects); a
/// file may be compressed by gzip. A red-team row has the first of its tags as category. Pictures
/// that LLaVA rows name are looked for in `images`, and read when they are needed. A record that
/// cannot be used is counted. Errors: IoError where the file cannot be read; DataError (path,
/// record, key) for wrong JSON, an empty set, or no usable row; UsageError for a row with a picture
/// where `images` is empty.
RowsFile read_rows(const std::filesystem::path& path, RowKind kind, std::string_view format = "",
                   const std::filesystem::path& images = {});
/// The same, with rows left out as `filter` says. Errors: also those of apply_filter, and DataError
/// if more records than it allows cannot be used.
RowsFile read_rows(const std::filesystem::path& path, RowKind kind, std::string_view format,
                   const std::filesystem::path& images, const RowFilter& filter);

struct ProbeOptions {
  bool restricted = true;
  std::string format{};           // "": detected
  std::string column{};           // of the prompts in a table, or their key; "": a known name
  std::string option = "probes";  // that names the file, for messages
  ContextUse context = ContextUse::ask;
  bool prefill = true;      // keep a last turn of the assistant, else leave it out
  double max_rejected = 1;  // greatest share of records that cannot be used
  ReaderCatalogue readers = reader_catalogue();
};
/// Reads probes: one prompt per line, a table (separated by commas, tabs, semicolons or bars) with
/// a known prompt column (and optional category), chat JSONL, or JSON; or a folder of CSV files,
/// one per category, in the order of the numbers in their names. HEx-PHI's category_1.csv to
/// category_11.csv carry the names of their categories. A last turn of the assistant is the
/// beginning of an answer, which the model is to continue. Errors: as read_rows; DataError for a
/// table without a known column, naming its columns.
ProbesFile read_probes(const std::filesystem::path& path, const ProbeOptions& options);
ProbesFile read_probes(const std::filesystem::path& path, bool restricted,
                       std::string_view format = "");

/// Same user text in both sets, after folding case and white space. Pairs are (id of a row, id of a
/// probe).
struct Overlap {
  std::vector<std::pair<std::string, std::string>> pairs;
};
Overlap find_overlap(const Dataset& rows, const std::vector<Probe>& probes);

}  // namespace seawall
