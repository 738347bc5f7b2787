#pragma once
// The page: one HTML file that needs nothing beside it.
#include <filesystem>
#include <string>
#include <vector>

#include "seawall/study/reading.hpp"

namespace seawall::report {

/// Draws the figures into `out`/figures, with the CSV of each, and returns the page. The same grid
/// gives the same bytes. Memory: the page, at most 10 MB of it answers. Errors: IoError where
/// gnuplot is missing or fails.
std::string page(const StudyReading& study, const std::filesystem::path& out);

}  // namespace seawall::report
