#pragma once
// Comma-separated values (RFC 4180), and files of one prompt a line.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/dataset/source.hpp"

namespace seawall {

struct CsvRecord {
  std::vector<std::string> fields;
  std::size_t line = 0;  // where it starts, from 1
};

/// Records without blank lines. Errors: DataError naming file and line for a quote that is not
/// closed, or text after one.
std::vector<CsvRecord> read_csv(const SourceFile& file);

/// The records behind a header, each as wide as it.
struct CsvTable {
  std::string file;
  std::vector<std::string> names;  // the header's cells, as cell_name has them
  std::vector<CsvRecord> records;
  std::optional<std::size_t> column(std::string_view name) const;
  Place place(std::size_t record) const;
};
/// Errors: those of read_csv; DataError where a column of `wanted` is absent, or a record is wider
/// or narrower than the header.
CsvTable read_csv_table(const SourceFile& file, const std::vector<std::string>& wanted = {});

/// Column of the first header cell named goal, instruction or prompt; nullopt where the first
/// record is no header.
std::optional<std::size_t> prompt_column(const SourceFile& file);

/// Columns of a request, its answer and, where there is one, its category: goal,target,
/// prompt,response or instruction,output; nullopt where the first record is no such header.
struct PairColumns {
  std::size_t first = 0, second = 0;
  std::optional<std::size_t> category;
};
std::optional<PairColumns> pair_columns(const SourceFile& file);

/// One prompt a line, commas and all; a line that is one quoted CSV field as a whole is unquoted
/// (and may hold newlines).
std::vector<CsvRecord> read_prompt_lines(const SourceFile& file);

/// A cell's name for comparing: lower case, without spaces around.
std::string cell_name(std::string_view cell);

}  // namespace seawall
