#pragma once
// A grid folder, or several shards of one, as one page with figures.
#include <cstddef>
#include <filesystem>
#include <vector>

namespace seawall::report {

/// Reads grid folders (several: shards of one grid) and writes report.html, figures/, results.csv
/// and results.md into `out`; `published` has the paper's figures (see read_published). Returns the
/// page's size. Units: bytes. Errors: those of load_grid, read_published and page; IoError.
std::size_t write_report(const std::vector<std::filesystem::path>& folders,
                         const std::filesystem::path& published, const std::filesystem::path& out);

}  // namespace seawall::report
