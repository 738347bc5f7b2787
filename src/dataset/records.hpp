#pragma once
// The records of a data file, whatever its form: JSON, a table, or lines.
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "seawall/dataset/detect.hpp"
#include "seawall/dataset/json_records.hpp"

namespace seawall {

/// Calls `visit` for each record of a file in that format: one of a table is an object of texts, a
/// line is a text; keys are in lower case for readers of any keys. Records for which it throws
/// Rejected, and those that are not UTF-8, no JSON or of the wrong width, are counted in `report`.
/// Errors: DataError for a table without the columns that the reader wants.
void for_each_record(const SourceFile& file, const FormatFound& format, const FormatWanted& wanted,
                     ReadReport& report, const VisitJson& visit);

}  // namespace seawall
