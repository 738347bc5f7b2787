#pragma once
// A data file as text with its place names, shared by the readers.
#include <cstddef>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/dataset/read_report.hpp"

namespace seawall {

/// A file read whole, and unpacked where it is gzip: UTF-8 without NUL bytes, a byte-order mark
/// taken off; UTF-16 with a byte-order mark is converted, and line ends of a carriage return alone
/// are made line feeds. The hash is of the file's own bytes.
struct SourceFile {
  std::filesystem::path path;
  std::string text, sha256;
  bool utf8 = true;  // false: a record has bytes that are not UTF-8; see not_utf8
  /// Errors: IoError; DataError for invalid UTF-8, a NUL byte, nothing but white space, gzip that
  /// is damaged or unpacks to more than is read of any file.
  static SourceFile read(const std::filesystem::path& path);
  /// The same, but bytes that are not UTF-8 stay, for readers that count the records with them.
  static SourceFile read_records(const std::filesystem::path& path);
  /// "not UTF-8 at byte 17" if `part` of `text` has such bytes, else "".
  std::string not_utf8(std::string_view part) const;
  /// The file's name without its ending, nor .gz.
  std::string stem() const;
  /// Its ending before .gz, in lower case, e.g. ".csv".
  std::string extension() const;
};

/// A place in a file, e.g. `rows.jsonl: line 7`, with which every error begins.
struct Place {
  std::string file, record;  // record: "line 7", "record 3"
  [[noreturn]] void fail(const std::string& what) const;
};

/// Why a well-formed record cannot be used; it is counted, not an error.
struct Rejected {
  std::string reason;
};

/// The text under `key`. Errors: DataError naming place and key where it is missing, not a text, or
/// holds a NUL.
const std::string& text_of(const nlohmann::json& record, const char* key, const Place& place);
/// The same, but "" where the key is missing or null.
std::string optional_text(const nlohmann::json& record, const char* key, const Place& place);

/// True where nothing but white space is in it.
bool blank(std::string_view text);
/// True for a name that a message may quote: letters, digits and a few signs, at most 40 bytes.
bool is_name(std::string_view text);

/// Raises the error of a file without a usable record, or with more unusable ones than the greater
/// of one and `max_rejected` of all records. If records are not UTF-8, it says what the file's
/// encoding seems to be.
void check_rejected(const SourceFile& file, const ReadReport& report, std::size_t usable,
                    double max_rejected);

}  // namespace seawall
