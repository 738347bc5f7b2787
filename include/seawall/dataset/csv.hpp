#pragma once
// Tables of text (RFC 4180, also separated by tabs, semicolons or bars), and files of one prompt
// per line.
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "seawall/dataset/source.hpp"

namespace seawall {

struct CsvRecord {
  std::vector<std::string> fields;
  std::size_t line = 0;  // where it starts, from 1
  std::string_view raw;  // its bytes in the file
};

/// Records without blank lines. Errors: DataError naming file and line for a quote that is not
/// closed, or text after one.
std::vector<CsvRecord> read_csv(const SourceFile& file, char separator = ',');

/// The records after a header.
struct CsvTable {
  std::string file;
  char separator = ',';
  std::vector<std::string> names;  // the header's cells, as cell_name has them
  std::vector<CsvRecord> records;
  std::optional<std::size_t> column(std::string_view name) const;
  Place place(std::size_t record) const;
  /// What is wrong with a record that is wider or narrower than the header; "" if nothing is. In a
  /// table of one column, an unquoted record is one field, separators and all.
  std::string wrong_width(std::size_t record) const;
  /// "the columns goal, target, category" for messages; if not all of the cells are names, how many
  /// there are.
  std::string shown_names() const;
};
/// Reads a table whose separator is the first under which the header has all of `wanted`. Errors:
/// those of read_csv; DataError if no separator gives these columns, or a record is wider or
/// narrower than the header.
CsvTable read_csv_table(const SourceFile& file, const std::vector<std::string>& wanted = {});

/// The table if its header has, under some separator, one of the columns of `known`; nullopt if it
/// has none. Errors: those of read_csv.
std::optional<CsvTable> find_table(const SourceFile& file, std::span<const std::string_view> known);

/// A description of the table that a text without known columns seems to be ("a table (commas) with
/// the columns id, query"); nullopt if it reads like one prompt per line. In a .txt file commas
/// alone make no table.
std::optional<std::string> looks_like_table(const SourceFile& file);

/// One prompt per line, commas and all; a line that is one quoted CSV field as a whole is unquoted
/// (and may hold newlines).
std::vector<CsvRecord> read_prompt_lines(const SourceFile& file);

/// A cell's name for comparing: lower case, without spaces around.
std::string cell_name(std::string_view cell);

}  // namespace seawall
