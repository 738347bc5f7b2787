#pragma once
// A study as results.csv, and as tables for a terminal.
#include <string>

#include "seawall/study/reading.hpp"

namespace seawall {

/// One row for each cell that has a run. Units: score 1..5; rates in percent; memory in MB (1e6).
std::string results_csv(const StudyReading& study);
/// The tables with the published figures next to ours, and under each which of its cells cannot be
/// told apart. Cells without a run say what is missing.
std::string results_table(const StudyReading& study);

}  // namespace seawall
