#pragma once
// The records of a JSON file: elements of an array, or values one after another (JSONL, or the same
// over several lines each).
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "seawall/core/json.hpp"
#include "seawall/dataset/source.hpp"

namespace seawall {

enum class JsonLayout {
  array,   // one array, or an object with a single array in it, e.g. {"data": [...]}
  values,  // values one after another, usually one per line
};

/// How a file that begins with a bracket is laid out. An array of messages on its own, or a file
/// whose first array is followed by more, holds one dialogue per array; an object with keys of a
/// record is a record.
JsonLayout json_layout(const SourceFile& file);

/// A record's bytes and its name, "line 7" or "record 3".
struct JsonRecord {
  JsonPart part;
  std::string place;
  std::size_t number = 0;  // the line or the record
};
/// Errors: DataError naming the byte and the rule if an array's brackets and commas are wrong; what
/// is wrong within a record shows when it is parsed.
std::vector<JsonRecord> json_records(const SourceFile& file, JsonLayout layout);

/// Parses a record. A bare NaN, as pandas writes a missing value, is read as null, with a note in
/// `report`. Errors: DataError.
nlohmann::json parse_record(const SourceFile& file, const JsonRecord& record, ReadReport& report);

/// What becomes of a record that cannot be used.
enum class OddRecords { fail, count };

using VisitJson =
    std::function<void(const nlohmann::json&, std::size_t number, const Place& place)>;
/// Calls `visit` for each record. Records for which it throws Rejected are counted in `report`, and
/// with OddRecords::count also those that are no JSON or for which it throws DataError. Errors:
/// DataError naming file and line or record.
void for_each_json(const SourceFile& file, JsonLayout layout, ReadReport& report, OddRecords odd,
                   const VisitJson& visit);

}  // namespace seawall
