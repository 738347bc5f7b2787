#pragma once
// The user's own files as rows and probes, by path only; nothing of them is ever copied into a
// message or a log.
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/core/dialogue.hpp"

namespace seawall {

/// What a reader found. Rejected rows are counted with the first reason.
struct ReadReport {
  std::string format;  // dialogues-json, chat-jsonl, alpaca-json, dolly-jsonl, prompts-csv, ...
  std::size_t rows = 0, rejected = 0;
  std::string first_rejection;  // "line 7: …"
  std::string sha256;           // of the file
  // Rows that could be used and are not: their answer holds a phrase, they are held out, or their
  // rating is too low or not there.
  std::size_t filtered = 0, held_out = 0, low_rated = 0;
  std::vector<std::pair<std::string, std::size_t>> categories;  // of probes, in their order
};

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
/// that LLaVA rows name are looked for in `images`, and read when they are needed. Errors: IoError
/// where the file cannot be read; DataError (path, record, key) for wrong JSON, an empty set, or no
/// usable row; UsageError for a row with a picture where `images` is empty.
RowsFile read_rows(const std::filesystem::path& path, RowKind kind, std::string_view format = "",
                   const std::filesystem::path& images = {});
/// The same, with rows left out as `filter` says. Errors: also those of apply_filter.
RowsFile read_rows(const std::filesystem::path& path, RowKind kind, std::string_view format,
                   const std::filesystem::path& images, const RowFilter& filter);
/// Reads probes: one prompt a line, CSV with a `goal` or `instruction` header (and optional
/// `category`), chat JSONL, or JSON; or a folder of CSV files, one a category, in the order of the
/// numbers in their names. HEx-PHI's category_1.csv to category_11.csv carry the names of their
/// categories.
ProbesFile read_probes(const std::filesystem::path& path, bool restricted,
                       std::string_view format = "");

/// Same user text in both sets, after folding case and white space. Pairs are (id of a row, id of a
/// probe).
struct Overlap {
  std::vector<std::pair<std::string, std::string>> pairs;
};
Overlap find_overlap(const Dataset& rows, const std::vector<Probe>& probes);

}  // namespace seawall
