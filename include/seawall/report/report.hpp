#pragma once
// A study as one page with figures.
#include <cstddef>
#include <filesystem>

#include "seawall/study/reading.hpp"

namespace seawall::report {

/// Writes report.html, figures/, results.csv and results.md into `out`. Returns the page's size.
/// Units: bytes. Errors: IoError, also if gnuplot is missing or fails.
std::size_t write_report(const StudyReading& study, const std::filesystem::path& out);

}  // namespace seawall::report
