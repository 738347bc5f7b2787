#pragma once
// What a run came to, for a person.
#include <filesystem>

#include "seawall/store/run_file.hpp"

namespace seawall {

/// Training in a line, a table of evaluations and judges, what must be said of their numbers (rows
/// without a verdict and why, cut answers, a published list's rule), and where it was written.
void print_run(const RunData& run, const std::filesystem::path& file);

}  // namespace seawall
