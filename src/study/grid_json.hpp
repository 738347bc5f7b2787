#pragma once
// grid.json: what is written of a grid, and how it is read back.
#include <string>

#include "seawall/study/grid_folder.hpp"

namespace seawall {

/// The text of grid.json.
std::string grid_text(const GridFolder& content);
/// The same of one table, without its cells: equal texts are equal tables.
std::string table_text(const Table& table);
/// Reads grid.json; `file` is what errors name. A file of an earlier version has a list of cells in
/// place of tables, which then describe nothing but these. Errors: DataError naming file, list and
/// field.
GridFolder grid_from(const std::string& text, const std::string& file);

}  // namespace seawall
