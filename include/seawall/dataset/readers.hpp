#pragma once
// The user's own files as rows and probes, by path only; nothing of them is ever copied into a
// message or a log, except names of columns and keys.
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seawall/core/dialogue.hpp"

namespace seawall {

/// Something in a file that is not used as it is, with how often and the first place.
struct ReadNote {
  std::string what;  // "key 'name' of a message not used"
  std::size_t count = 0;
  std::string first;  // "line 7"
};

/// What a reader found. Rejected records are counted with the first reason.
struct ReadReport {
  std::string format;  // dialogues-json, chat-jsonl, alpaca-json, dolly-jsonl, prompts-csv, ...
  std::size_t rows = 0, rejected = 0;
  std::string first_rejection;  // "line 7: …"
  std::string sha256;           // of the file
  // Rows that could be used and are not: their answer holds a phrase, they are held out, their
  // rating is too low or not there, or each of their answers has weight 0.
  std::size_t filtered = 0, held_out = 0, low_rated = 0, no_loss = 0;
  std::size_t prefilled = 0;  // probes that end with the beginning of an answer
  std::string columns;        // of a table: where the texts come from, e.g. "goal"
  std::vector<ReadNote> notes;
  std::vector<std::pair<std::string, std::size_t>> categories;  // of probes, in their order

  void reject(std::string reason);
  void note(std::string_view what, std::string_view place, std::size_t count = 1);
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

/// What to do with HarmBench's contextual behaviours: put the context before the behaviour, as its
/// DirectRequest does, or leave those records out.
enum class ContextUse { ask, put, leave_out };
/// Reads `ask`, `put` or `leave-out`. Errors: UsageError.
ContextUse context_use_from(std::string_view name);

struct ProbeOptions {
  bool restricted = true;
  std::string format{};           // "": detected
  std::string column{};           // of the prompts in a table, or their key; "": a known name
  std::string option = "probes";  // that names the file, for messages
  ContextUse context = ContextUse::ask;
  bool prefill = true;      // keep a last turn of the assistant, else leave it out
  double max_rejected = 1;  // greatest share of records that cannot be used
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
