#pragma once
// Which format of which reader a data file is in.
#include <string>
#include <string_view>

#include "seawall/dataset/json_records.hpp"
#include "seawall/dataset/reader_policy.hpp"
#include "seawall/dataset/source.hpp"

namespace seawall {

/// What a file is: an array of JSON records, one after another, a table, or one text per line.
enum class FileForm { array, values, table, lines };

struct FormatFound {
  std::string name;  // the reader's, and -json, -jsonl, -csv or -lines
  const ReaderEntry* reader = nullptr;
  FileForm form = FileForm::array;
};

/// The format by that name, or with `format` "" by a look at the content. Errors: UsageError
/// listing the formats that hold what is wanted; DataError if the content is none of them, or is a
/// table without a known column, which it names.
FormatFound detect_format(const SourceFile& file, std::string_view format,
                          const FormatWanted& wanted,
                          const ReaderCatalogue& readers = reader_catalogue());

}  // namespace seawall
