#pragma once
// What a run came to, for a person.
#include <filesystem>

#include "seawall/store/run_file.hpp"

namespace seawall {

/// Training in a line, a table of evaluations and judges, and where it was written.
void print_run(const RunData& run, const std::filesystem::path& file);

}  // namespace seawall
