#pragma once
// A data file as text with its place names, shared by the readers.
#include <cstddef>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/dataset/readers.hpp"

namespace seawall {

/// A file read whole, and unpacked where it is gzip: valid UTF-8 without NUL bytes, a byte-order
/// mark taken off. The hash is of the file as it lies.
struct SourceFile {
  std::filesystem::path path;
  std::string text, sha256;
  /// Errors: IoError; DataError for invalid UTF-8, a NUL byte, nothing but white space, gzip that
  /// is damaged or unpacks to more than is read of any file.
  static SourceFile read(const std::filesystem::path& path);
  /// The file's name without its ending, nor .gz.
  std::string stem() const;
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

/// Calls `visit` for each record: each line of JSONL, or each element of the array of a JSON
/// document. Records for which it throws Rejected are counted in `report`. Errors: DataError naming
/// file and line or record.
void for_each_json(
    const SourceFile& file, bool lines, ReadReport& report,
    const std::function<void(const nlohmann::json&, std::size_t number, const Place&)>& visit);

/// The text under `key`. Errors: DataError naming place and key where it is missing, not a text, or
/// holds a NUL.
const std::string& text_of(const nlohmann::json& record, const char* key, const Place& place);
/// The same, but "" where the key is missing or null.
std::string optional_text(const nlohmann::json& record, const char* key, const Place& place);

/// Reads an array of {role, content}. Errors: DataError naming the message and key. Throws Rejected
/// for turns in an order that no template can render.
Dialogue dialogue_of(const nlohmann::json& messages, const Place& place);

/// Reads a transcript "\n\nHuman: ...\n\nAssistant: ...", as Anthropic's red-team set has it.
/// Throws Rejected where it does not begin with the human.
Dialogue dialogue_of_transcript(std::string_view text);

/// True where nothing but white space is in it.
bool blank(std::string_view text);

/// Counts a row that was read, or raises the error of a file without a usable one.
void check_not_empty(const SourceFile& file, const ReadReport& report, std::size_t usable);

}  // namespace seawall
