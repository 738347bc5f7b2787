#pragma once
// Under each table of a grid: which of its cells cannot be told apart.
#include <map>
#include <string>

#include "seawall/study/grid_folder.hpp"

namespace seawall {

/// Table -> sentences over its cells. Cells are compared within what stands before a `/` in their
/// names (`identity-shift/safe-3` with `identity-shift/safe-10`), and corrected over the table.
/// Cells of single categories are left out, and cells of which nothing was judged, and tables of
/// figures: their neighbours are a curve.
/// Errors: those of cell_outcomes and compare.
std::map<std::string, std::string> ties_of_tables(const LoadedGrid& grid);

}  // namespace seawall
